"""Medians of cubes of scores, by a histogram that slides through the slices of a volume.

From one voxel to the next a cube of side n loses n² voxels and gains n². They are counted at three resolutions of the 16-bit
ordinals, and the coarse bin of the last median is the first guess of the next, so that a median is found within a few steps.
Source: Huang et al. 1979 (doi:10.1109/TASSP.1979.1163188).
"""

from __future__ import annotations

import numba
import numpy as np

from madad.evaluation.metrics.ordinal_scores import BINS

# Ordinals of one bin in the two coarser histograms, as a number of bits.
_COARSE, _MIDDLE = 8, 4
# What is kept beside the histograms: how many voxels they count, a coarse bin, and how many voxels lie below it.
_VOXELS, _BIN, _BELOW = range(3)


def medians_at(wanted: np.ndarray, padded: np.ndarray, counted: np.ndarray, side: int) -> np.ndarray:
    """Return the lower median of the voxels that count in the cube around each wanted voxel.

    Args:
        wanted: (S, H, W) bool, voxels with at least one that counts in their cube.
        padded: (S + side - 1, H + side - 1, W + side - 1) uint16, the volume with a margin of half a cube.
        counted: bool of the same shape, the voxels that a median is taken of.
        side: of the cube, odd.

    Returns:
        (V,) uint16, in the order of `wanted`.
    """
    medians = np.zeros(wanted.shape, dtype=np.uint16)
    kind = np.int16 if side**3 < 2**15 else np.int32
    histograms = [np.zeros(BINS >> bits, dtype=kind) for bits in (_COARSE, _MIDDLE, 0)]
    _slide(np.ascontiguousarray(wanted), padded, counted, side, *histograms, medians)
    return medians[wanted]


@numba.njit(cache=True)
def _slide(
    wanted: np.ndarray,
    padded: np.ndarray,
    counted: np.ndarray,
    side: int,
    coarse: np.ndarray,
    middle: np.ndarray,
    fine: np.ndarray,
    medians: np.ndarray,
) -> None:
    """Fill in the medians of the wanted voxels; the histograms are empty before and after."""
    slices, rows, columns = wanted.shape
    state = np.zeros(3, dtype=np.int64)
    for place in range(rows * columns):
        row, column = place // columns, place % columns
        window = (slice(row, row + side), slice(column, column + side))
        start, stop = 0, 0  # slices of the margin too that are counted
        for at in range(slices):
            if not wanted[at, row, column]:
                continue
            while start < min(at, stop):
                _change(padded[start][window], counted[start][window], -1, coarse, middle, fine, state)
                start += 1
            start, stop = max(start, at), max(stop, at)
            while stop < at + side:
                _change(padded[stop][window], counted[stop][window], 1, coarse, middle, fine, state)
                stop += 1
            medians[at, row, column] = _median(coarse, middle, fine, state)
        while start < stop:
            _change(padded[start][window], counted[start][window], -1, coarse, middle, fine, state)
            start += 1


@numba.njit(cache=True)
def _change(
    values: np.ndarray,
    counted: np.ndarray,
    by: int,
    coarse: np.ndarray,
    middle: np.ndarray,
    fine: np.ndarray,
    state: np.ndarray,
) -> None:
    """Count a side (n, n) of the cube, or with `by` -1 take it away."""
    voxels, below = 0, 0
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            if counted[row, column]:
                value = values[row, column]
                coarse[value >> _COARSE] += by
                middle[value >> _MIDDLE] += by
                fine[value] += by
                voxels += by
                below += by * ((value >> _COARSE) < state[_BIN])
    state[_VOXELS] += voxels
    state[_BELOW] += below


@numba.njit(cache=True)
def _median(coarse: np.ndarray, middle: np.ndarray, fine: np.ndarray, state: np.ndarray) -> int:
    """Return the lower median of what is counted, and keep its coarse bin."""
    rank, value, passed = (state[_VOXELS] - 1) // 2, state[_BIN], state[_BELOW]
    while passed > rank:
        value -= 1
        passed -= coarse[value]
    value, passed = _reach(rank, coarse, value, passed)
    state[_BIN], state[_BELOW] = value, passed
    value, passed = _reach(rank, middle, value << (_COARSE - _MIDDLE), passed)
    value, passed = _reach(rank, fine, value << _MIDDLE, passed)
    return value


@numba.njit(cache=True)
def _reach(rank: int, histogram: np.ndarray, value: int, passed: int) -> tuple[int, int]:
    """Return the bin that holds a rank, and how many voxels lie below it."""
    while passed + histogram[value] <= rank:
        passed += histogram[value]
        value += 1
    return value, passed
