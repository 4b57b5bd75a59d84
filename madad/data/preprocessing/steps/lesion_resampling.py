"""Resampling of lesion masks to another grid without losing volume.

A threshold of one half shrinks small lesions: on a grid of twice the voxel size a ball of three voxels loses a part or all of
its volume. Here the volume is preserved instead. The part of each target voxel that the lesion fills is measured,

    f(v) = mean over points x, evenly spaced in voxel v, of L(M x),

with L the mask, interpolated linearly between its voxels, and M the map from target to mask points. Their sum is the volume in
target voxels, N = round(Σ f(v)), and the mask is the N voxels with the largest f: of all masks of that volume the one with the
greatest overlap Σ f(v). With one exception: every lesion of sufficient size keeps its fullest voxel, because lesions are
counted, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from madad.core.io.volumes import Volume
from madad.core.shapes import Box3, box3
from madad.data.preprocessing.steps.registration import copied, field_of_view, index_map, same_voxels

# A lesion of at least this many target voxels keeps one.
LEAST_KEPT = 0.5
# Limits of the number of points along an edge of a target voxel, which is the number of voxels of the mask that it spans.
POINTS = (2, 8)


def carry(lesion: Volume, matrix: np.ndarray, grid: Volume) -> np.ndarray:
    """Return a lesion mask on another grid, uint8 (I, J, K), of the same volume.

    Args:
        lesion: binary mask.
        matrix: (4, 4), points of the grid to points of the mask in RAS+ mm.
        grid: target grid. Where its voxels are those of the mask they stay as they are.
    """
    if (start := same_voxels(lesion, matrix, grid)) is not None:
        return copied((lesion.array > 0).astype(np.uint8), start, grid.array.shape)
    filled, rank = (np.zeros(grid.array.shape, dtype=np.float32) for _ in range(2))
    # For the whole image: a voxel beyond the border of a piece may still contain some of it.
    seen = field_of_view(lesion, matrix, grid)
    for piece in _pieces(lesion):
        box = _box(piece, matrix, grid)
        part = fractions(piece, matrix, cut(grid, box)) * seen[box]
        filled[box] += part
        if part.sum() >= LEAST_KEPT:
            fullest = np.unravel_index(part.argmax(), part.shape)
            rank[tuple(side.start + n for side, n in zip(box, fullest, strict=True))] = 1 + part.sum()
    rank = np.maximum(rank, filled).ravel()
    touched = np.flatnonzero(rank)
    wanted = max(round(float(filled.sum(dtype=float))), min(1, touched.size))
    # A stable order: of two voxels that are filled equally the first is used, on every machine.
    order = np.argsort(-rank[touched], kind="stable")
    carried = np.zeros(rank.size, dtype=np.uint8)
    carried[touched[order[:wanted]]] = 1
    return carried.reshape(filled.shape)


def fractions(lesion: Volume, matrix: np.ndarray, grid: Volume) -> np.ndarray:
    """Return the part of every voxel of the grid that the lesion fills, float32 (I, J, K); the image's border is extended."""
    shape, array = grid.array.shape, (lesion.array > 0).astype(np.float32)
    total = np.zeros(shape, dtype=np.float32)
    if not total.size:
        return total
    steps, offset = index_map(lesion, matrix, grid)
    counts = np.clip(np.ceil(np.linalg.norm(steps, axis=0) - 1e-6), *POINTS).astype(int)
    for point in itertools.product(*((np.arange(count) + 0.5) / count - 0.5 for count in counts)):
        total += ndimage.affine_transform(array, steps, offset + steps @ np.array(point), shape, order=1, mode="nearest")
    return total / np.float32(counts.prod())


def cut(volume: Volume, box: Box3) -> Volume:
    """Cut out a part of a volume, which keeps its position in space."""
    affine = volume.affine.copy()
    affine[:3, 3] = (volume.affine @ [*(side.start for side in box), 1.0])[:3]
    return Volume(volume.array[box], affine)


def _pieces(lesion: Volume) -> Iterator[Volume]:
    """Yield every connected piece (26 neighbours) of a mask, cut out with a margin of one voxel inside the image."""
    labels, _ = ndimage.label(lesion.array > 0, np.ones((3, 3, 3)))
    for number, sides in enumerate(ndimage.find_objects(labels), start=1):
        box = box3(slice(max(0, side.start - 1), side.stop + 1) for side in sides)
        yield cut(lesion, box).with_array((labels[box] == number).astype(np.uint8))


def volume_ml(lesion: Volume, matrix: np.ndarray) -> float:
    """Return the volume of a lesion after the map: its native volume divided by the determinant of the map."""
    return float((lesion.array > 0).sum()) * lesion.voxel_ml / abs(float(np.linalg.det(matrix[:3, :3])))


def _box(lesion: Volume, matrix: np.ndarray, grid: Volume) -> Box3:
    """Return the part of the grid that a lesion can reach."""
    found = ndimage.find_objects((lesion.array > 0).astype(np.uint8))[0]
    sides = [(side.start - 1.5, side.stop + 0.5) for side in found]
    corners = np.array([[*corner, 1.0] for corner in itertools.product(*sides)])
    index = corners @ (np.linalg.inv(grid.affine) @ np.linalg.inv(matrix) @ lesion.affine).T
    low, high = np.floor(index.min(axis=0)).astype(int), np.ceil(index.max(axis=0)).astype(int)
    shape = grid.array.shape
    return box3(slice(max(0, low[a]), max(0, min(shape[a], high[a] + 1))) for a in range(3))
