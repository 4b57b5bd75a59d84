"""Boxes of a slice: where they lie, and one image from the images of all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madad.models.diffusion import boxes, sampling
from madad.models.diffusion.boxes import Boxes


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def law(**changes: object) -> Boxes:
    return Boxes(**{"patch_fraction": 0.5, "sampling": "grid", "aggregation": "cut", **changes})


def test_half_a_side_gives_the_published_quadrants_row_by_row() -> None:
    # (x0, y0, x1, y1) in the released code: (0, 0, 48, 48), (48, 0, 96, 48), (0, 48, 48, 96), (48, 48, 96, 96)
    assert boxes.grid(96, 96, 0.5).tolist() == [[0, 0, 48, 48], [0, 48, 48, 96], [48, 0, 96, 48], [48, 48, 96, 96]]


def test_boxes_that_do_not_fit_overlap_evenly() -> None:
    tops = boxes.grid(96, 96, 60 / 96)[:, 0].unique().tolist()
    assert tops == [0, 36]
    assert boxes.grid(10, 10, 0.4)[:, 0].unique().tolist() == [0, 3, 6]


def test_slices_need_not_be_square() -> None:
    assert boxes.grid(32, 48, 0.5).tolist() == [[0, 0, 16, 24], [0, 24, 16, 48], [16, 0, 32, 24], [16, 24, 32, 48]]


@pytest.mark.parametrize(("height", "width"), [(96, 96), (32, 48), (33, 7), (1, 1)])
@pytest.mark.parametrize("fraction", [0.1, 1 / 3, 0.5, 0.7, 1.0])
def test_grid_covers_every_voxel(height: int, width: int, fraction: float) -> None:
    cover = boxes.masks(boxes.grid(height, width, fraction), height, width)
    assert cover.any(dim=0).all() and len(cover.flatten(1).sum(1).unique()) == 1
    if fraction == 0.5 and height % 2 == width % 2 == 0:
        assert (cover.sum(dim=0) == 1).all()


def test_masks_hold_their_boxes() -> None:
    mask = boxes.masks(torch.tensor([[1, 0, 3, 2], [0, 3, 1, 4]]), 3, 4)
    assert mask.shape == (2, 1, 3, 4)
    assert mask[0, 0].nonzero().tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    assert mask[1, 0].nonzero().tolist() == [[0, 3]]


def test_training_draws_every_quadrant_equally_often() -> None:
    drawn = law().draw(torch.zeros(8000, 1, 4, 6), generator())
    counts = torch.stack([(drawn == quadrant).flatten(1).all(1).sum() for quadrant in law().cover(torch.zeros(1, 1, 4, 6))])
    assert counts.sum() == 8000 and (counts / 2000 - 1).abs().max() < 0.1


def test_random_boxes_start_anywhere_and_end_at_the_border() -> None:
    drawn = boxes.anywhere(5000, 8, 12, 0.5, generator())
    top, left, bottom, right = drawn.unbind(1)
    assert top.unique().tolist() == list(range(8)) and left.unique().tolist() == list(range(12))
    assert torch.equal(bottom, (top + 4).clamp(max=8)) and torch.equal(right, (left + 6).clamp(max=12))
    mask = law(sampling="random").draw(torch.zeros(16, 1, 8, 12), generator())
    areas = mask.flatten(1).sum(1)
    assert areas.min() >= 1 and areas.max() <= 24 and len(areas.unique()) > 4


def test_stitched_quadrants_give_the_image_back() -> None:
    image = torch.rand(3, 1, 6, 8)
    for aggregation in ("cut", "average"):
        boxed = law(aggregation=aggregation)
        cover = boxed.cover(image)
        assert torch.equal(boxed.stitch((torch.where(inside, image, torch.nan) for inside in cover), cover), image)


def test_where_boxes_overlap_the_first_counts_or_all_are_averaged() -> None:
    cover = boxes.masks(boxes.grid(1, 3, 2 / 3), 1, 3)  # voxels 0 and 1, then 1 and 2
    patches = [torch.full((1, 1, 1, 3), value) for value in (1.0, 3.0)]
    assert boxes.stitch(patches, cover, "cut").flatten().tolist() == [1, 1, 3]
    assert boxes.stitch(patches, cover, "average").flatten().tolist() == [1, 2, 3]


def test_average_counts_every_box_once() -> None:
    """The released code divides once a box, which makes overlaps darker."""
    image = torch.rand(2, 1, 10, 14)
    cover = boxes.masks(boxes.grid(10, 14, 0.4), 10, 14)
    assert cover.sum(dim=0).max() == 4
    assert torch.allclose(boxes.stitch([image] * len(cover), cover, "average"), image)


def test_nothing_to_stitch() -> None:
    with pytest.raises(ValueError, match="no boxes"):
        boxes.stitch([], torch.zeros(0, 1, 2, 2, dtype=torch.bool), "cut")


@pytest.mark.parametrize("batch_size", [1, 3, 8, 64])
def test_boxes_that_are_estimated_together_give_what_each_gives_alone(batch_size: int) -> None:
    torch.manual_seed(0)
    x_0, noise, table = torch.rand(3, 1, 12, 10), torch.randn(1, 1, 12, 10), np.linspace(0.99, 0.1, 100)
    chosen, sizes = boxes.Boxes(0.5, "grid", "cut"), []

    def denoise(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x_t))
        return x_t.mean(dim=(2, 3), keepdim=True) + x_t.sin() * t.view(-1, 1, 1, 1)

    found = chosen.one_step(denoise, x_0, noise, 50, table, batch_size)
    assert max(sizes) <= batch_size
    cover = chosen.cover(x_0)
    alone = [sampling.one_step(denoise, x_0, noise, 50, table, 1, region=box) for box in cover]
    torch.testing.assert_close(found, chosen.stitch(alone, cover))
