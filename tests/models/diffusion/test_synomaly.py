"""Noise with shapes: where they are and how strong; masks of a stage, and when the stages end."""

from __future__ import annotations

import pytest
import torch

from madad.models.diffusion.synomaly import ShapeNoise, Stages, area, blur

SIDE = 128


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def law(**changes: object) -> ShapeNoise:
    return ShapeNoise(**{"sigma": 3.0, "level": 175.0, "offset": 0.5, "direction": "bright", **changes})


def drawn(direction: str = "bright", count: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noise, the Gaussian noise beneath it and the shapes in the left half, which is the brain."""
    images, brain = torch.zeros(count, 1, SIDE, SIDE), torch.zeros(count, 1, SIDE, SIDE, dtype=torch.bool)
    brain[..., : SIDE // 2] = True
    noise = law(direction=direction)(images, brain, generator())
    beneath = torch.randn(images.shape, generator=generator())
    return noise, beneath, law().shapes(beneath) & brain


def test_shapes_are_cut_from_the_very_noise_they_are_added_to() -> None:
    noise, beneath, shapes = drawn()
    assert torch.equal(noise != beneath, shapes)  # nowhere else, and nowhere outside the brain
    left = slice(0, SIDE // 2)
    for image, inside in zip(blur(beneath, 3.0)[..., left], shapes[..., left], strict=True):  # where the blurred noise is highest
        assert image[inside].min() > image[~inside].max()


def test_every_image_has_one_addition_between_its_bounds() -> None:
    noise, beneath, shapes = drawn()
    additions = [(n - b)[s] for n, b, s in zip(noise, beneath, shapes, strict=True)]
    values = torch.stack([addition.mean() for addition in additions])
    assert all(addition.std() < 1e-5 for addition in additions)
    assert 0.5 <= values.min() < 0.6 and 1.4 < values.max() <= 1.5


@pytest.mark.parametrize(("direction", "signs"), [("bright", {1}), ("dark", {-1}), ("both", {-1, 1})])
def test_direction(direction: str, signs: set[int]) -> None:
    noise, beneath, _ = drawn(direction)
    assert {int(sign) for sign in (noise - beneath).flatten(1).sum(dim=1).sign()} == signs


@pytest.mark.parametrize("changes", [{"level": 200.0}, {"level": 255.0}])
def test_a_higher_level_has_fewer_shapes(changes: dict) -> None:
    beneath = torch.randn(16, 1, SIDE, SIDE, generator=generator())
    usual = law().shapes(beneath).float().mean().item()
    assert 0.01 < usual < 0.25 and law(**changes).shapes(beneath).float().mean().item() < 0.5 * usual
    assert not law(level=255.0).shapes(beneath).any()


def test_blur_keeps_the_mean_and_follows_the_side() -> None:
    spot = torch.zeros(1, 1, SIDE, SIDE)
    spot[..., 64, 64] = 1
    smooth = blur(spot, 3.0)
    assert smooth.sum().item() == pytest.approx(1, abs=1e-3)
    assert smooth.max().item() == pytest.approx(1 / (2 * torch.pi * 9), rel=0.03)
    half = blur(spot[..., 32:96, 32:96], 3.0)  # 1.5 voxels at half the side
    assert half.max().item() == pytest.approx(1 / (2 * torch.pi * 2.25), rel=0.05)


def test_mask_drops_small_spots_slice_by_slice() -> None:
    images = torch.zeros(2, 1, SIDE, SIDE)
    images[0, :, 10:16, 10:16] = 1  # 36 voxels
    images[0, :, 60:65, 60:65] = 1  # 25 …
    images[1, :, 60:65, 60:65] = 1  # … and the same in the next slice, which is not the same component
    stages = Stages(sigma=0.01, threshold=0.5, smallest=30, change=0.01)
    mask = stages.mask(images, torch.zeros_like(images))
    assert mask[0].sum() == 36 and not mask[1].any()
    assert not stages.mask(0.4 * images, torch.zeros_like(images)).any()
    assert torch.equal(stages.mask(-images, torch.zeros_like(images)), mask)  # either sign


def test_stages_end_where_the_size_hardly_changes() -> None:
    stages = Stages(sigma=1.0, threshold=0.5, smallest=30, change=0.01)
    masks = [torch.zeros(3, 1, SIDE, SIDE, dtype=torch.bool) for _ in range(2)]
    for row, sizes in enumerate([(2000, 2019), (2000, 2021), (10, 14)]):  # of 500 voxels at least
        for mask, size in zip(masks, sizes, strict=True):
            mask[row].view(-1)[:size] = True
    assert stages.settled(*masks).tolist() == [True, False, True]
    assert area(masks[0]) == 1
