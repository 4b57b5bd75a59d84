from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, ScaleIntensityd

from madad.data.anomalies.transforms import RandFluidAnomalyd

GRIDS = [(32, 36), (18, 20, 22)]


def scan(grid: tuple[int, ...], kind: type = torch.Tensor) -> dict:
    brain = torch.zeros(1, *grid, dtype=torch.bool)
    brain[(0, *(slice(3, n - 3) for n in grid))] = True
    image = torch.where(brain, 0.5, 0.0).repeat(2, *[1] * len(grid))
    return {"image": MetaTensor(image) if kind is MetaTensor else image.numpy() if kind is np.ndarray else image, "brain": brain}


def transform(**options) -> RandFluidAnomalyd:
    return RandFluidAnomalyd(
        "image", "brain", **{"prob": 1.0, "spacing_mm": 4.0, "volume_ml": (2, 20), **options}
    ).set_random_state(0)


@pytest.mark.parametrize("kind", [torch.Tensor, MetaTensor, np.ndarray])
@pytest.mark.parametrize("grid", GRIDS)
def test_lesion_is_put_in_and_the_healthy_image_kept(grid: tuple[int, ...], kind: type) -> None:
    data = scan(grid, kind)
    before = torch.as_tensor(data["image"]).clone()
    result = transform(sign=-1)(data)
    lesion = torch.as_tensor(result["lesion"])[0]
    image, healthy = torch.as_tensor(result["image"]), torch.as_tensor(result["image_healthy"])
    assert (
        isinstance(result["image"], kind) and torch.equal(torch.as_tensor(data["image"]), before) and torch.equal(healthy, before)
    )
    assert lesion.any() and not (lesion & ~data["brain"][0]).any() and image[:, lesion].mean() < 0.4
    assert torch.equal(image[:, result["lesion_map"][0] == 0], before[:, result["lesion_map"][0] == 0])


def test_no_lesion_without_luck_or_brain() -> None:
    for changed, data in (
        (transform(prob=0.0), scan(GRIDS[0])),
        (transform(), {**scan(GRIDS[0]), "brain": torch.zeros(1, *GRIDS[0])}),
    ):
        result = changed(data)
        assert torch.equal(result["image"], data["image"]) and not result["lesion"].any()


def test_random_state_decides_everything() -> None:
    data, one, two = scan(GRIDS[0]), transform(), transform()
    first, again, next_one = one(data)["image"], two(data)["image"], one(data)["image"]
    assert torch.equal(first, again) and not torch.equal(first, next_one)


def test_composes_with_monai() -> None:
    result = Compose([ScaleIntensityd("image"), transform(boundary="box")])(scan(GRIDS[0]))
    assert set(result) == {"image", "brain", "image_healthy", "lesion", "lesion_map"}
