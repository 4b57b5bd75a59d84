"""MAD-AD's law of masks: how many patches are diffused, of which shapes, and where they may be."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from madad.models.diffusion.patch_masks import diffusible, draw_patch, keep_patches


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("share", "diffused"), [(0.4, 7), (0.01, 1), (0.0, 0), (1.0, 16)])
def test_share_of_patches_is_rounded_up(share: float, diffused: int) -> None:
    keep = keep_patches(torch.full((5,), share), (4, 4), (1, 1), generator())
    assert keep.shape == (5, 1, 4, 4) and keep.dtype == torch.bool
    assert (~keep).flatten(1).sum(dim=1).tolist() == [diffused] * 5


def test_patches_are_whole_rectangles() -> None:
    keep = keep_patches(torch.tensor([0.4]), (8, 12), (2, 4), generator())
    corners = keep[..., ::2, ::4]
    assert torch.equal(keep, corners.repeat_interleave(2, dim=2).repeat_interleave(4, dim=3))
    assert (~corners).sum() == 5  # of 12, 4.8 rounded up


def test_every_image_has_patches_of_its_own_and_the_seed_decides() -> None:
    shares = torch.full((2,), 0.5)
    first, second = keep_patches(shares, (8, 8), (1, 1), generator())
    assert not torch.equal(first, second)
    assert torch.equal(first, keep_patches(shares, (8, 8), (1, 1), generator())[0])


def test_every_patch_is_equally_likely() -> None:
    keep = keep_patches(torch.full((4000,), 0.25), (4, 4), (2, 2), generator())
    assert torch.allclose((~keep).float().mean(dim=0), torch.tensor(0.25), atol=0.03)


def test_rows_and_columns_of_a_patch_are_drawn_apart() -> None:
    source = generator()
    drawn = Counter(draw_patch([1, 2, 4], [0.5, 0.0, 1.5], source) for _ in range(2000))
    assert set(drawn) == {(1, 1), (1, 4), (4, 1), (4, 4)}
    assert drawn[4, 4] / 2000 == pytest.approx(0.75**2, abs=0.04)
    assert drawn[1, 4] / 2000 == pytest.approx(0.25 * 0.75, abs=0.04)


def test_only_blocks_of_nearly_all_brain_may_be_diffused() -> None:
    brain = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    brain[..., :8, :8] = True
    brain[..., 0, 0] = False  # 63 of 64
    brain[..., 8:, 8:15] = True  # 7 of 8
    allowed = diffusible(brain, downsampling=4, block=2, min_share=0.9)
    assert allowed.shape == (1, 1, 4, 4)
    assert allowed[..., :2, :2].all() and allowed.sum() == 4
    assert diffusible(brain, downsampling=4, block=2, min_share=0.5).sum() == 8
    assert diffusible(brain, downsampling=4, block=2, min_share=0.0).all()


def test_expected_share_of_diffused_cells() -> None:
    """20.7 % of the cells for shares U(0, 0.4): rounding up makes it a little more than 20 %."""
    source, total = generator(), 0.0
    for _ in range(400):
        patch = draw_patch([1, 2, 4, 8], [0.2, 0.3, 0.3, 0.2], source)
        total += (~keep_patches(0.4 * torch.rand(32, generator=source), (32, 32), patch, source)).float().mean().item()
    assert total / 400 == pytest.approx(0.207, abs=0.003)
