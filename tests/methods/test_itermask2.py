"""IterMask2: what guides the restoration, how masks are drawn and how they shrink."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from madad.configuration import cards
from madad.methods.itermask2 import IterMask2, stretched, worst
from madad.models.diffusion.iterative_masks import best_level, draw_blobs, high_pass, low_frequencies

SIDE = 32


def build(**changes: object) -> IterMask2:
    torch.manual_seed(0)
    return IterMask2(**{**cards.tiny("itermask2")["parameters"], **changes}).eval()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Knows(torch.nn.Module):
    """Stands in for both networks: restores a given healthy image, whatever it sees."""

    def __init__(self, healthy: torch.Tensor) -> None:
        super().__init__()
        self.healthy, self.seen, self.reach = healthy, [], 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x)
        return self.healthy


def case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return healthy slices (S, 1, H, W), the same with lesions in all but the last, and the lesions."""
    healthy = torch.zeros(3, 1, SIDE, SIDE)
    healthy[:, :, 6:26, 8:24] = 0.4
    lesion = torch.zeros_like(healthy, dtype=torch.bool)
    lesion[0, :, 10:14, 10:16] = True
    lesion[1, :, 20:22, 18:20] = True
    return healthy, healthy + lesion * (1 / 6), lesion  # 1 on the scale of the networks


def knowing(healthy: torch.Tensor, **changes: object) -> IterMask2:
    method = build(**changes)
    method.unet = Knows(stretched(healthy))
    method.first = Knows(stretched(healthy))
    return method


@pytest.mark.parametrize(("side", "dims", "radius", "bins"), [(128, 2, 15, 697), (96, 2, 11.25, 401), (192, 3, 15, 13_997)])
def test_as_many_low_frequencies_as_the_released_code(side: int, dims: int, radius: float, bins: int) -> None:
    assert low_frequencies([side] * dims, radius).sum() == bins


@pytest.mark.parametrize("constant", [-3.0, 0.0, 0.5, 3.0])
def test_nothing_is_left_of_a_constant_image(constant: float) -> None:
    assert high_pass(torch.full((1, 1, 128, 128), constant), 15).abs().max() <= 697 / 128**2


def test_high_frequencies_stay_and_low_ones_keep_their_phase() -> None:
    x = torch.rand(2, 1, 64, 48, generator=generator(), dtype=torch.float64)
    found, given = (torch.fft.fft2(image) for image in (high_pass(x.float(), 9).double(), x))
    low = torch.fft.ifftshift(low_frequencies((64, 48), 9)).expand_as(found.real)
    assert torch.allclose(found[~low], given[~low], atol=1e-3)
    assert torch.allclose(found[low].abs(), torch.ones(()).double(), atol=1e-3)
    assert torch.allclose(found[low], given[low] / given[low].abs(), atol=1e-3)


def test_brightness_does_not_reach_the_guide() -> None:
    x = 1 + torch.rand(1, 1, 64, 64, generator=generator())
    assert torch.allclose(high_pass(x + 2, 9), high_pass(x, 9), atol=1e-5)


def test_masks_hide_as_much_of_a_brain_as_the_released_code() -> None:
    """The published law on an ellipse of 176 x 140 of 240 voxels hides 18 % on average, a twentieth of the masks above 40 %."""
    row, column = torch.meshgrid(torch.arange(120) - 59.5, torch.arange(120) - 59.5, indexing="ij")
    brain = ((row / 44) ** 2 + (column / 35) ** 2 < 1).expand(500, 1, 120, 120)
    masks = draw_blobs(brain, generator())
    shares = masks.sum(dim=(1, 2, 3)) / brain[0].sum()
    assert shares.mean().item() == pytest.approx(0.18, abs=0.02)
    assert torch.quantile(shares, 0.95).item() == pytest.approx(0.40, abs=0.05)
    assert not (masks & ~brain).any()


def test_a_slice_without_brain_has_no_mask() -> None:
    assert not draw_blobs(torch.zeros(2, 1, SIDE, SIDE, dtype=torch.bool), generator()).any()


def test_masks_of_a_slice_do_not_depend_on_the_slices_after_it() -> None:
    brain = torch.ones(2, 1, SIDE, SIDE, dtype=torch.bool)
    assert torch.equal(draw_blobs(brain, generator())[:1], draw_blobs(brain[:1], generator()))


def test_network_sees_the_stretched_slice_outside_the_mask_and_noise_inside() -> None:
    healthy, _, _ = case()
    method = build().train()
    method.unet = Knows(torch.zeros_like(healthy))
    method.training_loss({"image": healthy, "brain": healthy > 0}, generator())
    (seen,) = method.unet.seen
    kept = seen[:, :1] == 6 * healthy - 3
    assert kept[healthy == 0].all() and kept.sum() > healthy.numel() // 2
    noise = seen[:, :1][~kept]
    assert noise.mean().abs() < 0.2 and noise.std() == pytest.approx(1, abs=0.2)
    assert torch.allclose(seen[:, 1:], high_pass(6 * healthy - 3, 15))


def test_final_mask_is_the_lesion() -> None:
    healthy, ill, lesion = case()
    method = knowing(healthy, map="masked")
    method.healthy_errors.fill_(0.5)
    found = method.anomaly_map(ill, method.reconstruct(ill, generator()), ill[:, 0] > 0, generator())
    assert torch.equal(found > 0, lesion[:, 0])
    assert torch.allclose(found[lesion[:, 0]], torch.tensor(1 / 36), rtol=1e-4)
    assert len(method.unet.seen) <= 3


def test_masks_shrink_slice_by_slice_and_never_grow() -> None:
    healthy, ill, lesion = case()
    method = knowing(healthy)
    x, brain, masks = stretched(ill), ill > 0, []

    def restore(mask: torch.Tensor) -> torch.Tensor:
        masks.append(mask)
        return stretched(healthy)

    first = worst((x - stretched(healthy)).square(), brain, 0.6)
    final, _ = method.shrink(x, first, brain, torch.tensor(0.5), restore, grow=False)
    assert torch.equal(first.sum(dim=(1, 2, 3)), torch.full((3,), 192))  # 60 % of 320 voxels
    assert torch.equal(final, lesion)
    assert all((after <= before).all() for before, after in itertools.pairwise(masks))
    assert len(masks) <= 3


@pytest.mark.parametrize("threshold", ["validation", "subject"])
def test_a_perfectly_restored_brain_has_an_empty_map(threshold: str) -> None:
    healthy, _, _ = case()
    method = knowing(healthy, threshold=threshold, map="masked")
    found = method.anomaly_map(healthy, method.reconstruct(healthy, generator()), healthy[:, 0] > 0, generator())
    assert torch.isfinite(found).all() and not found.any()


def test_threshold_from_the_subject_finds_the_lesion() -> None:
    healthy, ill, lesion = case()
    uneven = healthy + 0.01 * torch.rand(healthy.shape, generator=generator()) * (healthy > 0)
    method = knowing(uneven, threshold="subject", map="masked", sweep_levels=20)
    found = method.anomaly_map(ill, method.reconstruct(ill, generator()), ill[:, 0] > 0, generator())
    assert found[lesion[:, 0]].min() > 0.8 / 36
    assert ((found > 0) & ~lesion[:, 0]).sum() < 0.2 * (ill > 0).sum()


def test_threshold_is_the_quantile_of_healthy_validation_errors() -> None:
    healthy, _, _ = case()
    batch = {"image": healthy, "brain": healthy > 0}
    method = build()
    expected = []
    for seed in (1, 2):
        source = generator(seed)
        mask = draw_blobs(batch["brain"], source)
        x = stretched(healthy)
        error = (x - method._restore(x, mask, high_pass(x, 15), torch.randn(x.shape, generator=source))).square()
        expected.append(torch.quantile(error[mask], 0.8).item())
        method.training_loss(batch, generator(seed))
    assert method.tau.item() == pytest.approx(np.mean(expected), rel=1e-4)
    method.train().training_loss(batch, generator(3))
    method.eval().training_loss(batch, generator(1))
    assert method.tau.item() == pytest.approx(expected[0], rel=1e-4), "every validation measures anew"


def test_tangent_of_the_thresholds() -> None:
    """a b sec^2(b i) > gamma for a = 0.2, b = 0.015 and gamma = 0.01 first at i = 67."""
    levels = np.arange(1.0, 101.0)
    assert levels[best_level(levels, 0.2 * np.tan(0.015 * levels), 0.01)] == 67
    assert best_level(levels, 0.2 * np.tan(0.015 * levels), 1e3) == 0


def test_thresholds_that_are_no_tangent_are_judged_by_their_differences() -> None:
    levels = np.arange(1.0, 101.0)
    stairs = np.where(levels > 40, 3.0, 0.0) + 1e-4 * levels
    assert levels[best_level(levels, stairs, 0.5)] == pytest.approx(40, abs=3)
