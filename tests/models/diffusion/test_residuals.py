"""The residual that forgives displacements."""

from __future__ import annotations

import pytest
import torch

from madad.models.diffusion.residuals import residual, shift_robust_residual


def volume(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_zero_for_equal_volumes_and_never_negative() -> None:
    x, other = volume(3, 1, 8, 8), volume(3, 1, 8, 8).flip(3)
    assert not shift_robust_residual(x, x, 2, 3).any()
    assert (shift_robust_residual(x, other, 1, 2) >= 0).all()


def test_without_shift_it_is_the_plain_residual() -> None:
    x, other = volume(3, 2, 8, 8), volume(3, 2, 8, 8).flip(2)
    assert torch.equal(shift_robust_residual(x, other, 0, 3), (x - other).abs().mean(dim=1))
    assert torch.equal(residual(x, other), (x - other).abs().mean(dim=1))


def test_the_two_sides_of_the_residual_add_up_to_both() -> None:
    x, other = volume(3, 1, 8, 8), volume(3, 1, 8, 8).flip(2)
    bright, dark = residual(x, other, "bright"), residual(x, other, "dark")
    assert torch.equal(bright + dark, residual(x, other)) and not (bright * dark).any()
    assert torch.equal(bright > 0, (x > other)[:, 0])


def test_no_reconstruction_is_a_mistake_of_the_caller() -> None:
    for call in (lambda: residual(volume(1, 1, 4, 4), None), lambda: shift_robust_residual(volume(1, 1, 4, 4), None, 1, 2)):
        with pytest.raises(ValueError, match="needs the reconstruction"):
            call()


@pytest.mark.parametrize("displacement", [(0, 2, -1), (0, -2, 2)])
def test_displacement_within_a_slice_costs_nothing(displacement: tuple[int, int, int]) -> None:
    x = volume(5, 1, 12, 12)
    moved = x.roll(displacement, dims=(0, 2, 3))
    inner = (slice(None), slice(2, -2), slice(2, -2))
    assert not shift_robust_residual(x, moved, 2, 2)[inner].any()
    assert shift_robust_residual(x, moved, 1, 2)[inner].any()


def test_displacement_between_slices_costs_nothing_in_3d_alone() -> None:
    x = volume(8, 1, 12, 12)
    moved = x.roll((2, 1, 0), dims=(0, 2, 3))
    inner = (slice(2, -2),) * 3
    assert not shift_robust_residual(x, moved, 2, 3)[inner].any()
    assert shift_robust_residual(x, moved, 2, 2)[inner].any()


def test_running_minimum_equals_the_minimum_over_all_shifts() -> None:
    x, other = volume(6, 1, 9, 9), volume(6, 1, 9, 9).flip(0)
    shifts = [(s, h, w) for s in (-1, 0, 1) for h in (-1, 0, 1) for w in (-1, 0, 1)]
    stacked = torch.stack([(x - other.roll(shift, dims=(0, 2, 3))).abs()[:, 0] for shift in shifts]).amin(0)
    inner = (slice(1, -1),) * 3
    assert torch.equal(shift_robust_residual(x, other, 1, 3)[inner], stacked[inner])


def test_nothing_wraps_around() -> None:
    x, other = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    other[..., -1] = 0  # a wrapped shift by one would explain the first column
    assert shift_robust_residual(x, other, 1, 2)[0].tolist() == [[1, 1, 0, 0]] * 4
