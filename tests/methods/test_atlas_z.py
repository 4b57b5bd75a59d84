"""Voxelwise z-scores: exact statistics, the sides of the deviation, and grids that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.atlas_z import AtlasZ

SHAPE = (4, 6, 5)


def volumes(count: int, shape: tuple[int, ...] = SHAPE) -> list[dict]:
    source = torch.Generator().manual_seed(0)
    return [{"image": torch.rand(1, 1, *shape, generator=source)} for _ in range(count)]


def fitted(data: list[dict], **changes: object) -> AtlasZ:
    method = AtlasZ(**{**cards.resolve("atlas_z", {}, {}, None)["parameters"], **changes})
    method.fit(data, torch.Generator())
    return method


def map_of(method: AtlasZ, image: torch.Tensor, brain: torch.Tensor | None = None) -> torch.Tensor:
    brain = torch.ones(image.shape, dtype=torch.bool) if brain is None else brain
    return method.anomaly_map(image.unsqueeze(1), None, brain, torch.Generator())


def test_statistics_are_those_of_all_volumes_at_once() -> None:
    data = volumes(7)
    method, stack = fitted(data), np.stack([one["image"][0].numpy() for one in data]).astype(np.float64)
    np.testing.assert_allclose(method.mean, stack.mean(0), rtol=1e-6)
    np.testing.assert_allclose(method.variance, stack.var(0, ddof=1), rtol=1e-5)


def test_statistics_survive_a_large_offset() -> None:
    """A sum of squares in single precision would have lost the variance."""
    data = [{"image": one["image"] + 10000} for one in volumes(5)]
    stack = np.stack([one["image"][0].numpy() for one in data]).astype(np.float64)
    np.testing.assert_allclose(fitted(data).variance, stack.var(0, ddof=1), rtol=1e-5)


@pytest.mark.parametrize(("tail", "expected"), [("both", [2, 1, 0]), ("bright", [2, 0, 0]), ("dark", [0, 1, 0])])
def test_score_by_hand(tail: str, expected: list[float]) -> None:
    low, high = (torch.full((1, 1, 1, 1, 3), value) for value in (0.4, 0.6))
    method = fitted([{"image": low}, {"image": high}], tail=tail, sd_floor=1e-9)  # mean 0.5, variance 0.02
    found = map_of(method, torch.tensor([[[0.5 + 2 * 0.02**0.5, 0.5 - 0.02**0.5, 0.5]]]))
    torch.testing.assert_close(found.flatten(), torch.tensor(expected, dtype=torch.float32), atol=1e-5, rtol=0)


def test_floor_adds_up_in_squares() -> None:
    method = fitted(volumes(1), sd_floor=0.5)  # one volume has no variance
    image = method.mean[0] + 1
    torch.testing.assert_close(map_of(method, image), torch.full(SHAPE, 2.0))


def test_blurring_is_that_of_training_and_test() -> None:
    data = volumes(1)
    method = fitted(data, smoothing=1.0)
    assert map_of(method, data[0]["image"][0, 0]).abs().max() < 1e-5
    assert method.mean.std() < 0.5 * data[0]["image"].std()


def test_pseudo_healthy_volume_is_the_mean_whatever_the_volume() -> None:
    method = fitted(volumes(3))
    reconstruction = method.reconstruct(torch.rand(SHAPE).unsqueeze(1), torch.Generator())
    assert reconstruction.shape == (4, 1, 6, 5) and torch.equal(reconstruction[:, 0], method.mean[0])


def test_volumes_on_two_grids_are_named() -> None:
    with pytest.raises(UserError, match="volume 3 has 4 x 6 x 6 voxels, those before it 4 x 6 x 5"):
        fitted([*volumes(2), *volumes(1, (4, 6, 6))])


def test_test_volume_on_another_grid_is_named() -> None:
    with pytest.raises(UserError, match="a volume of 2 x 6 x 5 voxels, but the atlas has 4 x 6 x 5"):
        fitted(volumes(2)).reconstruct(torch.rand(2, 1, 6, 5), torch.Generator())
