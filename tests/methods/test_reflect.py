"""REFLECT: the straight flow, its map and the second round."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from madad.configuration import cards
from madad.methods import registry
from madad.methods.reflect2 import REFLECT2
from madad.models.diffusion.rectified_flow import RectifiedFlow, flowed, velocity
from tests.methods.latent_stand_ins import Cells

SIDE = 32


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Towards(nn.Module):
    """A velocity that leads to a given end in a straight line, and keeps the times it is asked for."""

    def __init__(self, end: torch.Tensor) -> None:
        super().__init__()
        self.end, self.times = end, []

    def forward(self, y: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.times.append(t)
        return (self.end - y) / (1 - t / 1000).view(-1, 1, 1, 1)


def build(**changes: object) -> RectifiedFlow:
    whole = cards.tiny_whole("reflect")
    parameters = {**whole["parameters"], **changes}
    torch.manual_seed(0)
    return registry.load("reflect")(autoencoder=Cells(), **parameters).eval()


def slices() -> tuple[torch.Tensor, torch.Tensor]:
    """Return healthy slices and the same with a lesion."""
    healthy = torch.zeros(2, 1, SIDE, SIDE)
    healthy[:, :, 6:26, 8:24] = 0.4
    ill = healthy.clone()
    ill[1, :, 12:16, 12:16] = 0.7
    return healthy, ill


@pytest.mark.parametrize("steps", [1, 5])
def test_a_straight_flow_ends_at_its_end_in_any_number_of_steps(steps: int) -> None:
    start, end = torch.randn(2, 3, 4, 8, 8, generator=generator())
    assert torch.allclose(flowed(Towards(end), start, steps), end, atol=1e-5)


def test_times_run_from_zero_in_equal_steps() -> None:
    network = Towards(torch.zeros(2, 1, 4, 4))
    flowed(network, torch.ones(2, 1, 4, 4), 5)
    assert torch.allclose(torch.stack(network.times), torch.tensor([[0.0], [200], [400], [600], [800]]).expand(5, 2))


def test_loss_is_zero_for_the_true_velocity() -> None:
    y_0, y_1 = torch.randn(2, 6, 1, 8, 8, generator=generator())
    method = build()
    method.unet = Towards(y_1)
    assert method.flow_loss(y_0, y_1, generator()).item() == pytest.approx(0, abs=1e-5)
    method.unet = Towards(y_0)  # the velocity -t (y_1 - y_0) / (1 - t) at y_t
    assert method.flow_loss(y_0, y_1, generator()).item() > (y_1 - y_0).square().mean().item()


def test_untrained_network_changes_nothing() -> None:
    _, ill = slices()
    method = build()
    restored = method.reconstruct(ill, generator())
    assert torch.allclose(restored, ill, atol=1e-6)
    assert not method.anomaly_map(ill, restored, ill[:, 0] > 0, generator()).any()


def test_map_is_the_mean_of_both_clipped_residuals() -> None:
    healthy, ill = slices()
    method = build(smoothing=0.0, latent_smoothing=0.0)
    method.unet = Towards(method.latents.encode(healthy))
    restored = method.reconstruct(ill, generator())
    assert torch.allclose(restored, healthy, atol=1e-5)
    found = method.anomaly_map(ill, restored, ill[:, 0] > 0, generator())
    image, latent = 2 * (ill - healthy)[:, 0], 4 * (ill - healthy)[:, 0]  # three latents of 4 x - 2 in a cell
    expected = (image.clamp(max=0.4) / 0.4 + latent.clamp(max=0.4) / 0.4) / 2
    lesion = expected == 1
    # the enlarged residual of the latents blurs by a cell of two voxels
    far = nn.functional.max_pool2d(expected, 5, stride=1, padding=2) == 0
    assert lesion.sum() == 16 and not found[far].any()
    assert torch.allclose(found[lesion], (1 + blurred(latent.clamp(max=0.4) / 0.4))[lesion] / 2, atol=1e-4)


def blurred(latent: torch.Tensor) -> torch.Tensor:
    """Return what is left of a residual (S, H, W) of even cells when it is halved and enlarged again."""
    small = latent[:, None, ::2, ::2]
    return nn.functional.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)[:, 0]


def test_a_bright_slice_does_not_change_the_map_of_another() -> None:
    _, ill = slices()
    method = build()
    for weight in method.unet.parameters():
        nn.init.normal_(weight, std=0.05)
    bright = ill.clone()
    bright[0] *= 10
    maps = [method.anomaly_map(v, method.reconstruct(v, generator()), v[:, 0] > 0, generator()) for v in (ill, bright)]
    assert maps[0][1].any() and torch.allclose(maps[0][1], maps[1][1], atol=1e-6)


def second(model: RectifiedFlow) -> REFLECT2:
    return REFLECT2(model=model, **cards.tiny("reflect2")["parameters"])


def test_second_round_starts_from_the_first_and_leaves_it_alone() -> None:
    model = build()
    for weight in model.unet.parameters():
        nn.init.normal_(weight, std=0.05)
    model.requires_grad_(False)
    method = second(model)
    before = {key: value.clone() for key, value in model.unet.state_dict().items()}
    assert all(torch.equal(value, before[key]) for key, value in method.unet.state_dict().items())
    healthy, _ = slices()
    method.training_loss({"image": healthy, "brain": healthy > 0}, generator())["loss"].backward()
    assert all(weight.grad is not None for weight in method.unet.parameters())
    assert all(weight.grad is None for weight in method.teacher.parameters())
    assert all(torch.equal(value, before[key]) for key, value in method.teacher.state_dict().items())


def test_second_round_of_a_straight_flow_learns_the_same_targets() -> None:
    healthy, _ = slices()
    model = build()
    method = second(model)
    batch = {"image": healthy, "brain": healthy > 0}
    y_0, y_1 = method.draw_pair(batch, generator(2))
    method.teacher, method.unet = Towards(y_1), Towards(y_1)
    assert method.training_loss(batch, generator(2))["loss"].item() == pytest.approx(0, abs=1e-5)
    assert (y_0 != y_1).any() and velocity(method.unet, y_0, torch.zeros(2)).any()
