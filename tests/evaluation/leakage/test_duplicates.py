from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from madad.core.seeds import numpy_generator
from madad.evaluation.leakage import duplicates

SHAPE, SPACING = (30, 40, 34), 4.0


def brain() -> np.ndarray:
    axes = [np.linspace(-1, 1, size) for size in SHAPE]
    squares = [axis.reshape([-1 if place == own else 1 for place in range(3)]) ** 2 for own, axis in enumerate(axes)]
    return sum(squares) < 0.8


BRAIN = brain()
ANATOMY = ndimage.gaussian_filter(numpy_generator("leakage anatomy").standard_normal(SHAPE), 3) * 12


def person(number: int) -> np.ndarray:
    """An image whose anatomy everybody shares, with folds of its own: raw images of two people correlate above 0.9."""
    own = ndimage.gaussian_filter(numpy_generator("leakage person", number).standard_normal(SHAPE), 2)
    return np.where(BRAIN, np.clip(0.5 + 0.2 * (ANATOMY + 4 * own), 0.05, 1), 0).astype(np.float32)


def album(images: list[np.ndarray], cohorts: list[str] | None = None) -> tuple[duplicates.Album, list[duplicates.View]]:
    views = [duplicates.view(image, image > 0, SPACING) for image in images]
    made = duplicates.Album(SPACING)
    for seen, cohort in zip(views, cohorts or ["one"] * len(views), strict=True):
        made.add(seen, cohort)
    return made, views


def everything(i: int, j: int) -> bool:
    return True


def noisy(image: np.ndarray) -> np.ndarray:
    return np.where(BRAIN, np.clip(image + 0.05 * numpy_generator("leakage noise").standard_normal(SHAPE), 0.01, 1), 0)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda image: image,
    "rescaled": lambda image: np.where(BRAIN, 0.3 * image + 0.4, 0),
    "gamma": lambda image: image**0.6,
    "noise": noisy,
    "blurred": lambda image: ndimage.gaussian_filter(image, 0.8) * BRAIN,
    "one voxel on": lambda image: np.roll(image, 1, axis=2),
    "one voxel on along all axes": lambda image: np.roll(image, (1, -1, 1), axis=(0, 1, 2)),
    "eroded mask": lambda image: image * ndimage.binary_erosion(BRAIN),
}


def test_people_are_told_apart_although_raw_images_are_alike() -> None:
    images = [person(number) for number in range(12)]
    raw = np.corrcoef([image.ravel() for image in images])[np.triu_indices(12, 1)]
    assert raw.min() > 0.9
    made, views = album(images)
    likeness = [made.likeness(views[i], views[j], ("one", "one")) for i, j in zip(*np.triu_indices(12, 1), strict=True)]
    assert max(likeness) < duplicates.ALIKE


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("cohort", ["one", "other"])
def test_copy_is_found(change: str, cohort: str) -> None:
    images = [person(number) for number in range(12)]
    images.append(CHANGES[change](images[3]).astype(np.float32))
    cohorts = ["one"] * 12 + [cohort]
    made, views = album(images, cohorts)
    assert (3, 12) in made.candidates(everything)[:6]
    assert made.likeness(views[3], views[12], ("one", cohort)) >= duplicates.COPY


def test_second_scanner_does_not_make_its_people_alike() -> None:
    shade = np.linspace(0.6, 1.0, SHAPE[1])[:, None]
    images = [person(number) for number in range(12)]
    images += [(ndimage.gaussian_filter(person(number), 0.6) * BRAIN) ** 0.6 * shade for number in range(20, 25)]
    made, views = album(images, ["one"] * 12 + ["other"] * 5)
    pairs = [(i, j) for i in range(12, 17) for j in range(i + 1, 17)]
    assert max(made.likeness(views[i], views[j], ("other", "other")) for i, j in pairs) < duplicates.ALIKE


def test_only_pairs_that_matter_are_candidates() -> None:
    images = [person(number) for number in range(6)] * 2
    made, _ = album(images)
    assert {(i, i + 6) for i in range(6)} <= set(made.candidates(everything))
    assert made.candidates(lambda i, j: False) == []
    assert made.candidates(lambda i, j: (i, j) == (2, 8)) == [(2, 8)]


def test_blocks_of_rows_give_the_same_pairs(monkeypatch) -> None:
    images = [person(number) for number in range(6)] * 2
    made, _ = album(images)
    whole = set(made.candidates(everything))
    monkeypatch.setattr(duplicates, "ROWS", 5)
    assert set(made.candidates(everything)) == whole


@pytest.mark.parametrize("number", [1, 2])
def test_album_of_one_or_two_copies(number: int) -> None:
    made, views = album([person(0)] * number)
    assert made.likeness(views[0], views[-1], ("one", "one")) == 1.0
    assert made.candidates(everything) == []


def test_images_without_content_are_no_copies() -> None:
    flat = np.where(BRAIN, np.float32(0.5), np.float32(0))
    made, views = album([person(0), person(1), flat, np.zeros(SHAPE, np.float32)])
    assert np.isfinite(views[2].picture).all() and np.isfinite(views[3].picture).all()
    assert made.likeness(views[0], views[3], ("one", "one")) == 0.0
    assert np.isfinite(made.likeness(views[0], views[2], ("one", "one")))


def test_mean_of_few_is_drawn_towards_that_of_all() -> None:
    made, views = album([person(number) for number in range(5)], ["one"] * 4 + ["other"])
    pictures = np.array([seen.picture for seen in views])
    weight = 1 / (1 + duplicates.FEW)
    expected = weight * pictures[4] + (1 - weight) * pictures.mean(axis=0)
    assert np.allclose(made.mean("other")[BRAIN], expected[BRAIN], atol=1e-5)


def test_subjects_in_two_splits() -> None:
    splits = {"train": ["a", "b", "b"], "validation": ["c"], "test": ["d", "b", "c"]}
    assert duplicates.shared(splits) == {"b": ["train", "test"], "c": ["validation", "test"]}
    assert duplicates.shared({"train": ["a", "a"], "test": []}) == {}


def test_large_cohorts_are_compared_at_once() -> None:
    """A thousand against a thousand is one product of matrices: seconds, not a loop over a million pairs."""
    made = duplicates.Album(SPACING)
    generator = numpy_generator("leakage many")
    shape = (8, 8, 8)
    made._sums["one"], made._counts["one"] = np.zeros(shape), np.ones(shape)
    grid = duplicates._grid(shape, made._step(duplicates.COARSE_MM))
    size = made._sums["one"][grid].size
    made._looks = list(generator.standard_normal((2000, size)).astype(np.float32) * 1e-3)
    made._looks[1500] = made._looks[20]
    made.cohorts = ["one"] * 2000
    assert (20, 1500) in made.candidates(lambda i, j: (i, j) == (20, 1500))
