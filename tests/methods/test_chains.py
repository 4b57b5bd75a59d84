"""AnoDDPM, AutoDDPM and THOR on a predictor that knows the healthy image."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from madad.configuration import cards
from madad.methods.anoddpm import AnoDDPM
from madad.methods.autoddpm import AutoDDPM, slice_quantile
from madad.methods.thor import THOR, dilated, harmonic_mean, harmonised
from madad.models.components.spark import SparK
from madad.models.networks.perceptual import perceptual_distance
from tests.models.diffusion.test_noise_chain import Knows, generator

SIDE = 32
CLASSES = {"anoddpm": AnoDDPM, "autoddpm": AutoDDPM, "thor": THOR}


def brains() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return healthy slices (S, 1, H, W) in [0, 1], the same with a lesion in the second, and the lesion."""
    healthy = torch.zeros(3, 1, SIDE, SIDE)
    healthy[:, :, 4:28, 6:26] = 0.4 + 0.1 * torch.rand(3, 1, 24, 20, generator=generator(1))
    lesion = torch.zeros_like(healthy, dtype=torch.bool)
    lesion[1, :, 10:14, 10:16] = True
    return healthy, healthy + 0.4 * lesion, lesion


def build(name: str, clean: torch.Tensor, **changes: object) -> nn.Module:
    """Return a method whose predictor knows a clean image in [0, 1]."""
    parameters = {**cards.load(name)["parameters"]}
    values = {key: schema["default"] for key, schema in parameters.items()} | {"sampling_steps": 12}
    if name == "autoddpm":
        values |= {"inpaint_steps": 5}
    parts = {"predictor": Knows(2 * clean - 1)} | ({} if name == "anoddpm" else {"perception": None})
    method = CLASSES[name](**parts, **{**values, **changes})
    return method


def mapped(method: nn.Module, volume: torch.Tensor) -> torch.Tensor:
    source = generator()
    return method.anomaly_map(volume, method.reconstruct(volume, source), volume[:, 0] > 0, source)


@pytest.mark.parametrize("name", CLASSES)
def test_lesion_is_found(name: str) -> None:
    healthy, ill, lesion = brains()
    found = mapped(build(name, healthy), ill)
    assert found[lesion[:, 0]].min() > 10 * found[~lesion[:, 0]].mean()


@pytest.mark.parametrize("name", CLASSES)
def test_chain_ends_at_the_healthy_image(name: str) -> None:
    healthy, ill, lesion = brains()
    restored = build(name, healthy).reconstruct(ill, generator())
    assert torch.allclose(restored[lesion], healthy[lesion], atol=1e-3)


@pytest.mark.parametrize("name", CLASSES)
def test_network_sees_the_signed_image(name: str) -> None:
    """Fed images in [0, 1] it would run without an error; THOR's public code did."""
    healthy, ill, _ = brains()
    method = build(name, healthy)
    method.reconstruct(ill, generator())
    inside = ill > 0
    x_t, t = method.predictor.seen[0]
    signal = method.predictor.alphas_cumprod[t] ** 0.5
    assert x_t[inside].mean().item() == pytest.approx(signal * (2 * ill[inside].mean().item() - 1), abs=0.1)
    assert x_t[~inside].mean().item() == pytest.approx(-signal, abs=0.1)


@pytest.mark.parametrize("name", CLASSES)
def test_a_bright_slice_does_not_change_the_map_of_another(name: str) -> None:
    healthy, ill, _ = brains()
    bright = ill.clone()
    bright[2] *= 10
    one, other = (mapped(build(name, healthy), volume) for volume in (ill, bright))
    assert torch.equal(one[:2], other[:2]) and not torch.equal(one[2], other[2])


def test_anoddpm_squares_differences_of_signed_intensities() -> None:
    healthy, ill, lesion = brains()
    found = mapped(build("anoddpm", healthy), ill)
    assert torch.allclose(found[lesion[:, 0]], torch.tensor(0.64), atol=1e-3)  # above the published threshold of 0.5
    assert found[~lesion[:, 0]].max() < 1e-3


def test_autoddpm_changes_nothing_outside_its_mask() -> None:
    healthy, ill, lesion = brains()
    method = build("autoddpm", healthy)
    _, mask = method.masks(ill, healthy)
    painted = method.reconstruct(ill, generator())
    assert (mask & lesion)[1].any() and torch.allclose(painted[~mask], ill[~mask], atol=1e-6)


def test_autoddpm_masks_follow_their_definition() -> None:
    healthy, ill, _lesion = brains()
    first = healthy + 0.02 * torch.rand(healthy.shape, generator=generator(2)) * (healthy > 0)
    soft, mask = build("autoddpm", healthy).masks(ill, first)
    inside = (ill > 0)[1]
    difference = (ill - first).abs()[1]
    expected = (difference / torch.quantile(difference[inside], 0.95)).clamp(max=1)
    assert torch.allclose(soft[1][inside], expected[inside], atol=1e-5)
    hard = inside & (soft[1] > torch.quantile(soft[1][inside], 0.95))
    grown = torch.zeros_like(hard)
    for _, row, column in hard.nonzero().tolist():
        grown[:, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = True
    assert torch.equal(mask[1], grown)


def test_quantile_is_of_the_brain_alone() -> None:
    values, brain = torch.arange(16.0).view(1, 1, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    brain[..., 2:, :] = True
    assert slice_quantile(values, brain, 0.5).item() == 11.5
    assert slice_quantile(values, torch.zeros_like(brain), 0.5).item() == 0


def test_harmonising_trusts_the_estimate_or_the_image() -> None:
    x, estimate = torch.full((1, 1, 4, 4), -1.0), torch.full((1, 1, 4, 4), 0.5)
    nothing, all_of_it = torch.zeros_like(x), torch.ones_like(x)
    assert torch.equal(harmonised(x, estimate, nothing), x), "background stays at -1"
    assert torch.equal(harmonised(x, estimate, all_of_it), estimate)


def test_harmonic_mean_of_scores() -> None:
    scores = torch.tensor([[0.5, 0.5, 0.25, 1.0], [0.0, 0.5, 0.5, 1.0]])
    assert torch.allclose(harmonic_mean(scores), torch.tensor([0.0, 0.5, 1 / 3, 0.999]))


def test_an_empty_slice_scores_nothing() -> None:
    healthy, _, _ = brains()
    method = build("thor", healthy)
    assert torch.equal(method.score(torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)), torch.zeros(1, 1, 8, 8))


def test_scores_of_a_slice_reach_one() -> None:
    healthy, ill, _ = brains()
    first = healthy + 0.01 * (healthy > 0)
    score = build("thor", healthy).score(ill, first)
    assert torch.allclose(score.amax(dim=(1, 2, 3)), torch.ones(3))


def test_dilation_and_trust() -> None:
    spot = torch.zeros(1, 1, 128, 128)
    spot[..., 64, 64] = 1
    assert dilated(spot, 13).sum() == 169
    trust = build("thor", brains()[0]).trust(spot)
    assert trust[..., 64, 64] == 1 and trust[..., 64, 70] == 0.5 and trust[..., 64, 71] == 0


def test_thor_compares_and_harmonises_at_the_published_levels() -> None:
    method = build("thor", brains()[0], sampling_steps=0)
    assert method.harmonised == {299, 149, 49}
    assert method.compared == {349, 299, 249, 199, 149, 99, 49, 0}


@pytest.mark.parametrize("name", ["autoddpm", "thor"])
def test_map_belongs_to_the_last_reconstruction(name: str) -> None:
    healthy, ill, _ = brains()
    method = build(name, healthy)
    restored = method.reconstruct(ill, generator())
    with pytest.raises(ValueError, match="just returned"):
        method.anomaly_map(ill, restored.clone(), ill[:, 0] > 0, generator())


def test_perceptual_distance_is_zero_for_equal_images_and_one_without_a_part() -> None:
    part = SparK(**cards.tiny("spark")["parameters"]).eval()
    for weight in part.parameters():
        nn.init.normal_(weight, std=0.2)
    x, y = torch.rand(2, 2, 1, SIDE, SIDE, generator=generator())
    with torch.no_grad():
        found = perceptual_distance(part, x, y, 1)
        assert found.shape == x.shape and 0 < found.max() <= 1
        assert perceptual_distance(part, x, x, 64).max() < 1e-5
        assert torch.allclose(found, perceptual_distance(part, x, y, 64), atol=1e-5)
    assert torch.equal(perceptual_distance(None, x, y, 64), torch.ones_like(x))
