"""Detection of leaks: people in two splits, and images so alike that they show one person twice.

Registered brains all correlate above 0.9, even those of different people. What distinguishes people is the residual after
subtracting the mean image. Measured on 100 people of IXI (T1w, 3 mm): the correlation of these residuals between two people
was 0.47 at most, and that of an image with itself after a gamma of 0.6, noise of 10 %, a blur of one voxel, a shift by one
voxel along every axis or a rotation by 2° was 0.7 at least, in its own cohort or in another. Two scans of one patient, with
other masks and slices of 3 to 4 mm, came to 0.79 among these people.

Every cohort has its own mean; otherwise two people of a second scanner would look alike by what distinguishes that scanner
from the first. With few images the mean is drawn towards that of all images, because a mean of two would remove what the two
have in common: the same two scans as a cohort of their own came to 0.34, and such a pair is not found.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from scipy import ndimage

# Correlation of residuals from which on two images are copies of one scan, and from which on they may be of one person.
COPY, ALIKE = 0.7, 0.55
# What is looked at more closely: pairs above this on a coarse grid, this many of the highest.
FIRST_LOOK, CANDIDATES = 0.15, 2000
# A cohort of this many images has a mean that is half its own.
FEW = 2
SMOOTHING_MM, COARSE_MM, FINE_MM, EDGE_MM, SHIFT_MM = 3.0, 9.0, 6.0, 6.0, 2.5
# Largest difference of z-scores between equal pictures, and rows of one matrix product.
SAME, ROWS = 1e-3, 512


@dataclass(frozen=True)
class View:
    """A volume made ready to be compared.

    Attributes:
        picture: (S, H, W) float32, z-scores of the brain, smoothed inside it.
        inside: (S, H, W) bool, the brain.
        core: (S, H, W) bool, the brain without its edge, where masks of one person differ.
    """

    picture: np.ndarray
    inside: np.ndarray
    core: np.ndarray


def view(image: np.ndarray, brain: np.ndarray, spacing_mm: float) -> View:
    """Prepare a volume.

    Args:
        image: (S, H, W) of any intensity scale.
        brain: (S, H, W) bool.
    """
    values = image[brain]
    spread = float(values.std()) if values.size else 0.0
    scores = np.where(brain, (image - values.mean()) / spread, 0) if spread else np.zeros_like(image)
    width = SMOOTHING_MM / spacing_mm
    share = ndimage.gaussian_filter(brain.astype(np.float32), width)
    smooth = ndimage.gaussian_filter(scores.astype(np.float32), width) / np.maximum(share, 1e-3)
    core = ndimage.binary_erosion(brain, iterations=max(1, round(EDGE_MM / spacing_mm)))
    return View(np.where(brain, smooth, 0).astype(np.float32), brain, core)


def shared(splits: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the subjects in more than one split, each with its splits; sessions of one person are one subject."""
    seen: dict[str, list[str]] = {}
    for split, subjects in splits.items():
        for subject in dict.fromkeys(subjects):
            seen.setdefault(subject, []).append(split)
    return {subject: where for subject, where in seen.items() if len(where) > 1}


@dataclass
class Album:
    """Volumes of one grid, seen one after the other; keeps a coarse residual of each and the mean of every cohort.

    Attributes:
        spacing_mm: edge of a voxel.
        cohorts: cohort of every volume, in the order of `add`.
    """

    spacing_mm: float
    cohorts: list[str] = field(default_factory=list)
    _looks: list[np.ndarray] = field(default_factory=list)
    _sums: dict[str, np.ndarray] = field(default_factory=dict)
    _counts: dict[str, np.ndarray] = field(default_factory=dict)
    _means: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, seen: View, cohort: str) -> None:
        """Take in a volume."""
        self._means.clear()
        if cohort not in self._sums:
            self._sums[cohort] = np.zeros(seen.picture.shape)
            self._counts[cohort] = np.zeros(seen.picture.shape)
        self._sums[cohort] += seen.picture
        self._counts[cohort] += seen.inside
        grid = _grid(seen.picture.shape, self._step(COARSE_MM))
        self._looks.append(np.where(seen.inside, seen.picture, np.nan)[grid].ravel())
        self.cohorts.append(cohort)

    def mean(self, cohort: str) -> np.ndarray:
        """Return the mean image (S, H, W) of a cohort, drawn towards that of all volumes where it has few."""
        if cohort not in self._means:
            everybody = _ratio(_total(self._sums), _total(self._counts))
            count = self._counts[cohort]
            weight = count / (count + FEW)
            self._means[cohort] = weight * _ratio(self._sums[cohort], count) + (1 - weight) * everybody
        return self._means[cohort]

    def candidates(self, worth: Callable[[int, int], bool]) -> list[tuple[int, int]]:
        """Return the pairs that deserve a closer look, the most alike first.

        Args:
            worth: whether a pair matters, for i < j by the order of `add`.
        """
        residuals = self._residuals()
        found: list[tuple[float, int, int]] = []
        for start in range(0, len(residuals), ROWS):
            alike = residuals[start : start + ROWS] @ residuals.T
            rows, columns = np.nonzero(np.triu(alike, start + 1) > FIRST_LOOK)
            pairs = zip(alike[rows, columns], rows + start, columns, strict=True)
            found += [(float(value), int(i), int(j)) for value, i, j in pairs if worth(int(i), int(j))]
        return [(i, j) for _, i, j in sorted(found, reverse=True)[:CANDIDATES]]

    def likeness(self, first: View, second: View, cohorts: tuple[str, str]) -> float:
        """Correlation of the residuals of two volumes inside both brains, at the best of 27 small shifts of the second.

        0 where the brains hardly overlap, and 1 for equal pictures, also where they are all there is to make the mean.

        Args:
            first: a volume that was added, or another of the same grid.
            second: another one.
            cohorts: whose mean is subtracted from each.
        """
        if np.abs(first.picture - second.picture).max() < SAME:
            return 1.0
        one, other = (self.mean(cohort) for cohort in cohorts)
        step = max(1, round(SHIFT_MM / self.spacing_mm))
        grid = _grid(first.picture.shape, self._step(FINE_MM), step)
        residual, core, mean = (first.picture - one)[grid], first.core[grid], other[grid]
        best = 0.0
        for shift in itertools.product((-step, 0, step), repeat=3):
            moved = _grid(first.picture.shape, self._step(FINE_MM), step, shift)
            both = core & second.core[moved]
            best = max(best, _correlation(residual[both], (second.picture[moved] - mean)[both]))
        return best

    def _step(self, edge_mm: float) -> int:
        return max(1, round(edge_mm / self.spacing_mm))

    def _residuals(self) -> np.ndarray:
        """Return what each volume has beyond its cohort's mean, 0 outside its brain, as rows (N, points) of length 1."""
        looks, step = np.array(self._looks, dtype=np.float32), self._step(COARSE_MM)
        means = {}
        for cohort, total in self._sums.items():
            means[cohort] = self.mean(cohort)[_grid(total.shape, step)].ravel().astype(np.float32)
        for row, cohort in zip(looks, self.cohorts, strict=True):
            row -= means[cohort]
        looks = np.nan_to_num(looks)
        lengths = np.linalg.norm(looks, axis=1, keepdims=True)
        return looks / np.maximum(lengths, 1e-6)


def _grid(shape: tuple[int, ...], step: int, border: int = 0, shift: Sequence[int] = (0, 0, 0)) -> tuple[slice, ...]:
    """Return every `step`-th voxel but for a border, moved by a shift that is no larger than the border."""
    return tuple(slice(border + move, size - border + move, step) for size, move in zip(shape, shift, strict=True))


def _total(parts: dict[str, np.ndarray]) -> np.ndarray:
    return reduce(np.add, parts.values())


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation; 0 for fewer than 30 values or without any spread."""
    if first.size < 30:
        return 0.0
    first, second = first - first.mean(), second - second.mean()
    length = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / length) if length > 1e-6 * first.size else 0.0
