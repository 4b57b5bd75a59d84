"""Variational autoencoder: its bound by hand, and restoration that descends, in chunks and where gradients are off."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.methods.vae import VAE, total_variation
from tests.methods.phantom_slices import Heads, heads, taught

SIZES = {"channels": [8, 16], "bottleneck_grid": 4, "latent_size": 16, "dropout": 0.0}
STEPS, RATE = 60, 1e-3


def build(**changes: object) -> VAE:
    torch.manual_seed(0)
    return VAE(**{**cards.resolve("vae", {}, {}, None)["parameters"], **SIZES, **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Known(torch.nn.Module):
    """Stands in for the network: a known posterior, and one constant slice whatever the code."""

    reach = 1

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((len(x), 2), 3.0), torch.zeros(len(x), 2)

    def decode(self, z: torch.Tensor, size: torch.Size) -> torch.Tensor:
        return torch.full((len(z), 1, *size), 0.5)


@pytest.fixture(scope="module")
def learnt() -> tuple[VAE, Heads]:
    method = taught(build(), heads(64, "healthy"), steps=60, batch=16, learning_rate=5e-3)
    return method, heads(4, "test")


def restoring(method: VAE, **changes: object) -> VAE:
    settings = {"scoring": "restoration", "restoration_steps": STEPS, "restoration_rate": RATE, "tv_weight": 0.5, **changes}
    other = build(**settings).eval()
    other.load_state_dict(method.state_dict())
    return other


def test_bound_by_hand() -> None:
    method, image = build(kl_weight=2.0), torch.rand(2, 1, 8, 8)
    method.network = Known()
    losses = method.training_loss({"image": image}, generator())
    assert losses["error"].item() == pytest.approx((image - 0.5).abs().mean().item())
    assert losses["divergence"].item() == pytest.approx(2 * 0.5 * 3**2 / 64)  # two numbers of mean 3 and variance 1
    assert losses["loss"].item() == pytest.approx((losses["error"] + 2 * losses["divergence"]).item())


def test_total_variation_by_hand() -> None:
    image = torch.zeros(2, 1, 4, 5)
    image[0, 0, 1, 2] = 3.0
    image[1, 0, :, 4] = -2.0
    assert total_variation(image).tolist() == pytest.approx([4 * 3, 4 * 2], rel=0.01)
    assert total_variation(image / 1e5).max() < 4 * 3 / 1e5 / 100


def test_restoration_cost_by_hand() -> None:
    method, y = build(kl_weight=2.0, tv_weight=3.0), torch.rand(2, 1, 8, 8)
    method.network = Known()
    x = y.clone()
    x[:, :, 3, 3] += 1
    expected = (x - 0.5).abs().flatten(1).sum(1) + 2 * 9 + 3 * 4
    torch.testing.assert_close(method.restoration_cost(x, y), expected, rtol=0, atol=(64 + 3 * 4) * 0.01)


def test_restoration_by_hand() -> None:
    """Towards a constant slice every voxel walks by the rate, whatever the others do."""
    method = build(scoring="restoration", tv_weight=0.0, restoration_steps=10, restoration_rate=0.01)
    method.network = Known()
    restored = method.reconstruct(torch.full((1, 1, 8, 8), 0.8), generator())
    torch.testing.assert_close(restored, torch.full((1, 1, 8, 8), 0.7), atol=1e-3, rtol=0)


def test_restoration_descends_and_leaves_the_weights_alone(learnt: tuple[VAE, Heads]) -> None:
    method, data = restoring(learnt[0]), learnt[1]
    before = {key: value.clone() for key, value in method.state_dict().items()}
    restored = method.reconstruct(data.lesioned, generator())
    with torch.no_grad():
        assert (method.restoration_cost(restored, data.lesioned) < method.restoration_cost(data.lesioned, data.lesioned)).all()
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())
    assert all(weight.grad is None for weight in method.parameters())


def test_restoration_changes_lesions_most(learnt: tuple[VAE, Heads]) -> None:
    method, data = restoring(learnt[0]), learnt[1]
    restored = method.reconstruct(data.lesioned, generator())
    found = method.anomaly_map(data.lesioned, restored, data.brain[:, 0], generator())
    lesion, healthy = data.lesion[:, 0], (data.brain & ~data.lesion)[:, 0]
    assert found[lesion].mean() > 1.3 * found[healthy].mean()


def test_restoration_is_the_same_in_inference_mode_and_slice_by_slice(learnt: tuple[VAE, Heads]) -> None:
    method, alone, image = restoring(learnt[0]), restoring(learnt[0], slices_per_pass=1), learnt[1].lesioned
    expected = method.reconstruct(image, generator())
    with torch.inference_mode():
        assert torch.equal(method.reconstruct(image.clone(), generator()), expected)
    torch.testing.assert_close(alone.reconstruct(image, generator()), expected, atol=1e-5, rtol=0)
    assert not expected.requires_grad


def test_total_variation_makes_changes_come_in_patches(learnt: tuple[VAE, Heads]) -> None:
    image = learnt[1].lesioned
    free, bound = (restoring(learnt[0], tv_weight=weight).reconstruct(image, generator()) - image for weight in (0.0, 0.5))
    assert total_variation(bound).sum() / bound.abs().sum() < 0.7 * total_variation(free).sum() / free.abs().sum()
