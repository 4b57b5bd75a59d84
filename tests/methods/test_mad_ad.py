"""MAD-AD: what the network is shown and asked for, what is cleaned at test, and the two residuals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.mad_ad import MADAD, eight_bit


class Shrinking(nn.Module):
    """Stands in for the autoencoder: a latent is the mean of 4 x 4 voxels, in units of one tenth, four times over."""

    spatial_dims, downsampling, latent_channels = 2, 4, 4

    def __init__(self, sigma: float = 0.0) -> None:
        super().__init__()
        self.sigma = sigma

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean = 10 * nn.functional.avg_pool2d(images, 4).repeat(1, 4, 1, 1)
        return mean, torch.full_like(mean, self.sigma)

    def decode(self, latents: Tensor) -> Tensor:
        return latents.mean(dim=1, keepdim=True).repeat_interleave(4, dim=2).repeat_interleave(4, dim=3) / 10


class Spy(nn.Module):
    """Stands in for the U-Net: keeps what it is shown and answers with constants."""

    def __init__(self, clean: float, logit: float) -> None:
        super().__init__()
        self.clean, self.logit, self.shown = clean, logit, []

    def forward(self, z_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        self.shown.append((z_t, t))
        return torch.full_like(z_t, self.clean), torch.full_like(z_t[:, :1], self.logit)


def build(sigma: float = 0.0, **changes: object) -> MADAD:
    torch.manual_seed(0)
    parameters = cards.tiny("mad_ad")["parameters"] | {"max_diffused_share": 0.4, "min_brain_share": 0.9}
    return MADAD(autoencoder=Shrinking(sigma), **{**parameters, **changes})


def spied(clean: float = 0.0, logit: float = 0.0, **changes: object) -> tuple[MADAD, Spy]:
    method, spy = build(**changes), Spy(clean, logit)
    method.unet = spy
    return method, spy


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = 6, side: int = 64) -> dict[str, Tensor]:
    brain = torch.zeros(count, 1, side, side, dtype=torch.bool)
    brain[..., 8:-8, 8:-8] = True
    return {"image": eight_bit(torch.rand(count, 1, side, side, generator=generator(9)) * brain), "brain": brain}


def infer(method: MADAD, volume: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    source = generator(seed)
    with torch.no_grad():
        reconstruction = method.eval().reconstruct(volume, source)
        brain = torch.ones(volume[:, 0].shape, dtype=torch.bool)
        return reconstruction, method.anomaly_map(volume, reconstruction, brain, source)


def test_fresh_network_changes_nothing() -> None:
    """Both heads at zero: every cell is undecided, the strict gate never fires, and the map is exactly 0."""
    method, volume = build(), batch()["image"]
    reconstruction, anomaly_map = infer(method, volume)
    assert torch.equal(reconstruction, method.autoencoder.decode(method.autoencoder.encode(volume)[0]))
    assert (anomaly_map == 0).all()
    assert method.observed == {"flagged_share": 0.0}


def test_flagged_share_is_of_the_brain() -> None:
    """A network that takes every cell for noise, also those of the background, which do not count."""
    method, _ = spied(clean=3.0, logit=-5.0)
    volume = batch()["image"]
    infer(method, volume)
    assert method.observed == {"flagged_share": 1.0}


def test_loss_at_initialisation() -> None:
    data, method = batch(), build(mask_weight=0.5)
    losses = method.training_loss(data, generator())
    assert losses["restoring"].item() == pytest.approx(
        method.autoencoder.encode(data["image"])[0].square().mean().item(), rel=1e-5
    )
    assert losses["masking"].item() == 0.25
    assert losses["loss"].item() == pytest.approx(losses["restoring"].item() + 0.5 * 0.25)


def test_mask_loss_by_name() -> None:
    assert build(mask_loss="bce").training_loss(batch(), generator())["masking"].item() == pytest.approx(0.6931, abs=1e-4)


def test_kept_cells_are_bit_identical_and_diffused_ones_are_not() -> None:
    data = batch(count=64)
    method, spy = spied(max_diffused_share=1.0)
    method.training_loss(data, generator())
    (z_t, t), z_0 = spy.shown[0], method.autoencoder.encode(data["image"])[0]
    same = z_t == z_0
    assert torch.equal(same.all(dim=1), same.any(dim=1))  # the channels go together
    assert same[:, :, :2].all() and same[:, :, -2:].all() and same[..., :2].all()  # outside the brain nothing is diffused
    assert 0.2 < (~same[:, 0, 2:-2, 2:-2]).float().mean() < 0.8
    assert set(t.tolist()) == set(range(10)) and not t.is_floating_point()


def test_at_the_last_level_nothing_is_left_of_the_diffused_cells() -> None:
    data = batch(count=256)
    method, spy = spied(max_diffused_share=1.0)
    method.training_loss(data, generator())
    (z_t, t), z_0 = spy.shown[0], method.autoencoder.encode(data["image"])[0]
    diffused = (z_t != z_0) & (t == 9).view(-1, 1, 1, 1)
    pairs = torch.stack([z_t[diffused], z_0[diffused]])
    assert abs(torch.corrcoef(pairs)[0, 1].item()) < 0.06 and pairs.shape[1] > 2000
    assert z_t[diffused].std().item() == pytest.approx(1, abs=0.05)


def test_the_target_of_the_mask_head_is_what_was_kept() -> None:
    data = batch()
    method, spy = spied(logit=30.0, max_diffused_share=1.0)
    losses = method.training_loss(data, generator())
    changed = spy.shown[0][0][:, :1] != method.autoencoder.encode(data["image"])[0][:, :1]
    assert losses["masking"].item() == pytest.approx(changed.float().mean().item())


def test_training_draws_latents_and_inference_takes_their_mean() -> None:
    data = batch()
    method, spy = spied(sigma=0.1, max_diffused_share=1e-9, min_brain_share=1.0)
    mean = method.autoencoder.encode(data["image"])[0]
    method.training_loss(data, generator())
    kept = spy.shown[0][0][:, :, :2]  # no brain there
    assert (kept - mean[:, :, :2]).std().item() == pytest.approx(0.1, abs=0.01)
    infer(method, data["image"])
    assert torch.equal(spy.shown[1][0], mean)


def test_slices_are_rounded_to_the_grey_values_of_the_published_files() -> None:
    image = torch.linspace(0, 1, 10_001)
    rounded = eight_bit(image)
    assert rounded.unique().numel() == 256 and (rounded - image).abs().max().item() == pytest.approx(1 / 510, abs=1e-5)
    data = batch()
    between = data | {"image": data["image"] + 0.4 / 255}
    assert build().training_loss(between, generator())["loss"] == build().training_loss(data, generator())["loss"]
    for residual in ("code", "paper"):
        maps = [infer(build(residual=residual), one["image"])[1] for one in (data, between)]
        assert torch.equal(*maps)


def test_no_gradient_reaches_the_autoencoder() -> None:
    method = build()
    weight = method.autoencoder.weight = nn.Parameter(torch.ones(()))
    encode = method.autoencoder.encode
    method.autoencoder.encode = lambda images: tuple(weight * part for part in encode(images))
    method.training_loss(batch(), generator())["loss"].backward()
    assert weight.grad is None


def test_flagged_cells_become_what_the_network_answers() -> None:
    method, spy = spied(clean=3.0, logit=-1.0)
    reconstruction, _ = infer(method, batch()["image"])
    assert torch.equal(reconstruction, torch.full_like(reconstruction, 0.3))
    assert [int(t[0]) for _, t in spy.shown] == [*range(9, -1, -1)]


def test_residual_of_the_code_is_clipped_and_taken_from_the_autoencoded_slice() -> None:
    volume = torch.full((2, 1, 64, 64), 0.26)
    volume[..., ::2] = 0.34  # the autoencoder sees 0.3 everywhere
    _, near = infer(spied(clean=2.5, logit=-1.0)[0], volume)
    assert near.max().item() == pytest.approx(2 * 0.05 / 0.25, rel=1e-3) and near.std() < 1e-4
    assert infer(spied(clean=9.0, logit=-1.0)[0], volume)[1].min().item() == pytest.approx(1)


def test_residual_of_the_paper_is_squared_and_taken_from_the_slice() -> None:
    volume = torch.full((2, 1, 64, 64), 0.4)
    _, near = infer(spied(clean=3.0, logit=-1.0, residual="paper")[0], volume)
    assert near.max().item() == pytest.approx(0.2**2 / 0.2, rel=1e-3)
    volume[..., 32, 32] = 0.9
    unchanged = infer(spied(logit=1.0, residual="paper", smoothing=0.0)[0], volume)[1]
    assert unchanged[0, 32, 32] == 1 and infer(spied(logit=1.0)[0], volume)[1].max() == 0


def test_map_is_smoothed_in_the_slice_and_zero_outside_the_brain() -> None:
    method = spied(logit=1.0, residual="paper", smoothing=0.05)[0]
    volume, brain = torch.zeros(3, 1, 64, 64), torch.ones(3, 64, 64, dtype=torch.bool)
    reconstruction = volume.clone()
    reconstruction[1, 0, 32, 32] = 1.0
    brain[:, :, 34:] = False
    spot = method.anomaly_map(volume, reconstruction, brain, generator())
    assert spot[0].max() == spot[2].max() == 0 and (spot[~brain] == 0).all()
    variance = (0.05 * 64) ** 2
    expected = torch.exp(torch.tensor(-9 / (2 * variance)))  # three pixels away
    assert (spot[1, 32, 29] / spot[1, 32, 32]).item() == pytest.approx(expected.item(), rel=1e-4)


def test_smoothing_keeps_a_constant_map_up_to_the_border() -> None:
    method = spied(residual="paper", smoothing=0.05)[0]
    volume = torch.zeros(1, 1, 64, 64)
    flat = method.anomaly_map(volume, volume + 0.1, torch.ones(1, 64, 64, dtype=torch.bool), generator())
    assert torch.allclose(flat, torch.tensor(0.2), atol=1e-5)


def test_sticky_gate_by_name() -> None:
    volume = batch()["image"]
    for gate, moved in (("plain", False), ("sticky", True)):
        method, spy = spied(clean=3.0, gate=gate)
        spy.forward = lambda z, t: (torch.full_like(z, 3.0), torch.full_like(z[:, :1], 1.0 if t[0] < 9 else -1.0))
        assert torch.allclose(infer(method, volume)[0], torch.tensor(0.3)) == moved


@pytest.mark.parametrize("steps", [1, 6, 7, 8, 9, 11])
def test_chains_that_are_not_evenly_spaced_are_refused(steps: int) -> None:
    with pytest.raises(UserError, match=rf"mad_ad.parameters.test_steps: {steps} of 10 .* 10, 5, 4, 3, 2 can"):
        build(test_steps=steps)


def test_slices_that_patches_do_not_divide_are_refused_with_those_that_work() -> None:
    method = build(patch_sizes=[1, 2, 4, 8], patch_probabilities=[1, 1, 1, 1])
    method.training_loss(batch(side=64), generator())
    for verb in (lambda: method.training_loss(batch(side=48), generator()), lambda: infer(method, batch(side=48)["image"])):
        with pytest.raises(UserError, match=r"48 x 48 voxels are 12 x 12 latents.*multiples of 8.*32, 64 or 96"):
            verb()
    build(patch_sizes=[1, 2, 4]).training_loss(batch(side=48), generator())


def test_patches_and_probabilities_must_pair() -> None:
    with pytest.raises(UserError, match="patch_probabilities"):
        build(patch_sizes=[1, 2])
    with pytest.raises(UserError, match="patch_probabilities"):
        build(patch_probabilities=[0.0, 0.0, 0.0])


def test_autoencoder_of_volumes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shrinking, "spatial_dims", 3)
    with pytest.raises(UserError, match="spatial_dims = 2"):
        build()
