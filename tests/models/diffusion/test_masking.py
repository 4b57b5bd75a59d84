"""Masking blocks: where the patches lie and how much they hide, what filters leave, and brains of any size."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from madad.models.diffusion import masking
from madad.models.diffusion.masking import Masking

CODE = Masking("fpm_cm", "code", 5, 0.18, (0.1, 0.9), "random", (2, 10))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def block(kind: str = "fpm_cm", geometry: str = "code", frequencies: str = "random") -> Masking:
    return Masking(kind, geometry, 5, 0.18, (0.1, 0.9), frequencies, (2, 10))


def ellipse(height: int, width: int, side: int = 96) -> torch.Tensor:
    """Brain (1, 1, side, side) with so many rows and columns, odd numbers."""
    row, column = torch.meshgrid(*[torch.arange(side) - side // 2] * 2, indexing="ij")
    return ((2 * row / height) ** 2 + (2 * column / width) ** 2 <= 1)[None, None]


def slices(count: int, brain: torch.Tensor) -> torch.Tensor:
    """Different slices in [0.2, 1], 0 outside the brain."""
    return (0.2 + 0.8 * torch.rand((count, *brain.shape[1:]), generator=generator(9))) * brain


@cache
def published() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a brain 89 voxels wide and 4000 sets of patches."""
    brain = ellipse(71, 89)
    return brain, CODE.draw_patches(brain.expand(4000, -1, -1, -1), generator())


def test_one_slice_in_six_is_not_masked() -> None:
    _, patches = published()
    untouched = ~patches.flatten(1).any(1)
    assert untouched.float().mean().item() == pytest.approx(1 / 6, abs=0.02)


def test_patches_hide_the_published_share() -> None:
    brain, patches = published()
    share = (patches & brain).flatten(1).sum(1) / brain.sum()
    assert share.mean().item() == pytest.approx(0.070, abs=0.003)
    assert share.max() < 0.25


def test_patches_keep_their_distance_from_the_bounding_box() -> None:
    brain, patches = published()
    for axis in (2, 3):
        first, last = (index := brain.any(dim=axis).flatten().nonzero()).min(), index.max()
        held = patches.any(dim=axis).any(dim=0).flatten().nonzero()
        assert (held.min(), held.max()) == (first + 5, last - 6)


def test_sides_are_between_half_and_all_of_the_length() -> None:
    rectangles = masking.draw_rectangles(ellipse(71, 89), 4000, 0.18, 5, generator())
    for held in (rectangles.rows, rectangles.columns):
        lengths = held.sum(dim=2).flatten()
        assert lengths.unique().tolist() == list(range(8, 17))  # 0.18 of 89 columns are 16
        assert (torch.bincount(lengths)[8:] / (4000 / 9) - 1).abs().max() < 0.2
    assert abs(torch.corrcoef(torch.stack([rectangles.rows.sum(2), rectangles.columns.sum(2)]).flatten(1).float())[0, 1]) < 0.05


def test_geometry_follows_the_side_of_the_image() -> None:
    brain = ellipse(35, 45, side=48)
    patches = CODE.draw_patches(brain.expand(500, -1, -1, -1), generator())
    held = patches.any(dim=3).any(dim=0).flatten().nonzero()
    rows = brain.any(dim=3).flatten().nonzero()
    assert held.min() == rows.min() + 2  # 5 voxels of 96


@pytest.mark.parametrize("geometry", ["code", "ratio"])
@pytest.mark.parametrize("kind", ["none", "ipm", "fpm", "fpm_cm"])
@pytest.mark.parametrize("side", [1, 2, 8, 32])
def test_any_brain_can_be_masked(kind: str, geometry: str, side: int) -> None:
    brain = torch.zeros(4, 1, side, side + 3, dtype=torch.bool)
    brain[1, 0, side // 2, side // 2] = True
    brain[2, 0, 0] = True
    brain[3] = True
    image = torch.rand(brain.shape, generator=generator()) * brain
    masked = block(kind, geometry)(image, brain, generator())
    assert masked.shape == image.shape and torch.isfinite(masked).all()
    assert (masked[~brain] == 0).all()
    if kind != "fpm":
        assert torch.equal(masked[1], image[1])  # one voxel has no room for a patch


def test_brain_too_small_for_the_margin_is_not_masked() -> None:
    brain = ellipse(11, 11).expand(200, -1, -1, -1)
    assert not CODE.draw_patches(brain, generator()).any()
    assert CODE.draw_patches(ellipse(15, 15).expand(200, -1, -1, -1), generator()).any()


def test_shares_of_the_paper_are_reached() -> None:
    brain = ellipse(89, 71).expand(300, -1, -1, -1)
    patches = block(geometry="ratio").draw_patches(brain, generator())
    share = (patches & brain).flatten(1).sum(1) / brain[0].sum()
    assert share.min() > 0.1 and share.max() < 0.93
    assert torch.quantile(share, torch.tensor([0.25, 0.5, 0.75])).tolist() == pytest.approx([0.3, 0.5, 0.7], abs=0.06)


def test_smallest_number_is_the_smallest() -> None:
    brain = ellipse(89, 71).expand(8, -1, -1, -1)
    rectangles = masking.draw_rectangles(brain, 40, 0.18, 0, generator())
    wanted = torch.linspace(0.01, 0.4, 8)
    number = masking.smallest_number(rectangles, brain, wanted)
    shares = torch.stack(
        [(masking.union(rectangles, torch.full((8,), n)) & brain).flatten(1).sum(1) / brain.flatten(1).sum(1) for n in range(41)]
    )
    assert number.tolist() == (shares >= wanted).int().argmax(dim=0).tolist()
    assert (masking.smallest_number(rectangles, brain, torch.full((8,), 1.1)) == 40).all()


def test_union_is_that_of_the_first_rectangles() -> None:
    rows = torch.tensor([[[1, 1, 0, 0], [0, 0, 0, 1]]]).bool()
    columns = torch.tensor([[[1, 0, 0], [0, 1, 1]]]).bool()
    rectangles = masking.Rectangles(rows, columns)
    held = [masking.union(rectangles, torch.tensor([n]))[0, 0].nonzero().tolist() for n in range(3)]
    assert held == [[], [[0, 0], [1, 0]], [[0, 0], [1, 0], [3, 1], [3, 2]]]


@pytest.mark.parametrize("shape", [(2, 1, 96, 96), (2, 1, 33, 48), (2, 2, 7, 5)])
@pytest.mark.parametrize("half_width", [1, 3, 10])
def test_low_and_high_frequencies_sum_up_to_the_image(shape: tuple[int, ...], half_width: int) -> None:
    image, widths = torch.rand(shape, dtype=torch.float64), torch.full((2,), half_width)
    low, high = (masking.filtered(image, widths, torch.full((2,), kind)) for kind in (True, False))
    assert torch.allclose(low + high, image, atol=1e-12, rtol=0)
    assert high.mean(dim=(2, 3)).abs().max() < 1e-12


@pytest.mark.parametrize(("height", "width"), [(24, 24), (15, 20)])
def test_low_frequencies_are_those_of_the_symmetrised_square(height: int, width: int) -> None:
    image, v = torch.rand(1, 1, height, width, dtype=torch.float64), 3

    def near(side: int, sign: int) -> torch.Tensor:
        frequency = sign * (torch.fft.fftfreq(side) * side).round()
        return (frequency >= -v) & (frequency < v)

    windows = [near(height, sign)[:, None] & near(width, sign) for sign in (1, -1)]
    assert windows[0].sum() == (2 * v) ** 2
    expected = torch.fft.ifft2(torch.fft.fft2(image) * (windows[0].double() + windows[1].double()) / 2)
    filtered = masking.filtered(image, torch.tensor([v]), torch.tensor([True]))
    assert torch.allclose(filtered, expected.real, atol=1e-12) and expected.imag.abs().max() < 1e-12


def test_every_slice_has_its_own_filter() -> None:
    image = torch.rand(1, 1, 16, 16, dtype=torch.float64).expand(4, -1, -1, -1)
    widths, low = torch.tensor([1, 2, 1, 4]), torch.tensor([True, False, False, True])
    together = masking.filtered(image, widths, low)
    singles = [masking.filtered(image[:1], widths[i : i + 1], low[i : i + 1]) for i in range(4)]
    assert torch.allclose(together, torch.cat(singles), atol=1e-12)


@pytest.mark.parametrize(("frequencies", "means"), [("low", {False}), ("high", {True}), ("random", {False, True})])
def test_half_of_the_slices_lose_their_low_frequencies(frequencies: str, means: set[bool]) -> None:
    image = slices(40, ellipse(61, 51))
    filtered = block(frequencies=frequencies).draw_filtered(image, generator())
    without_mean = filtered.mean(dim=(1, 2, 3)).abs() < 1e-5
    assert set(without_mean.tolist()) == means
    if frequencies == "random":
        assert 10 <= without_mean.sum() <= 30


def test_half_widths_follow_the_side() -> None:
    def rank(image: torch.Tensor) -> int:
        return int(torch.linalg.matrix_rank(image[0], rtol=1e-9))

    for side, largest in [(96, 10), (48, 5), (8, 1)]:
        image = torch.rand(1, 1, side, side, dtype=torch.float64).expand(200, -1, -1, -1)
        low = block(frequencies="low").draw_filtered(image, generator())
        ranks = {rank(one) for one in low}
        # a window of half-width v and its mirror image hold the rows -v .. v, the last two of which are half empty
        assert max(ranks) <= 2 * largest + 1 and (side == 8 or max(ranks) >= 2 * largest - 1)


def test_image_patches_are_zero() -> None:
    brain = ellipse(61, 51).expand(6, -1, -1, -1)
    image = slices(6, brain)
    masked = block("ipm")(image, brain, generator())
    hidden = block("ipm").draw_patches(brain, generator()) & brain
    assert hidden.any() and torch.equal(masked, image * ~hidden)


def test_frequency_masking_changes_the_whole_brain_and_nothing_else() -> None:
    brain = ellipse(61, 51).expand(6, -1, -1, -1)
    image = slices(6, brain)
    masked = block("fpm")(image, brain, generator())
    assert torch.equal(masked, block("fpm").draw_filtered(image, generator()) * brain)
    assert (masked != image)[brain].float().mean() > 0.99


def test_cutmix_shows_the_filtered_slice_in_patches_and_the_clean_one_elsewhere() -> None:
    brain = ellipse(61, 51).expand(60, -1, -1, -1)
    image, source = slices(60, brain), generator()
    before = image.clone()
    masked = block()(image, brain, generator())
    patches = block().draw_patches(brain, source)
    filtered = block().draw_filtered(image, source)
    assert (patches & ~brain).any()
    assert torch.equal(masked[~patches], (image * brain)[~patches])
    assert torch.equal(masked[patches], (filtered * brain)[patches])
    assert torch.equal(image, before)


def test_same_generator_same_mask() -> None:
    brain = ellipse(61, 51).expand(3, -1, -1, -1)
    first, same, other = (block()(slices(3, brain), brain, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)
