"""Scans in a space of their own, made of the template: stripped, turned, stored with other axes, with a dark ball."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from madad.data import template

SPACING_MM = 3.0
# Points of the template to points of the scan: turned by 6 degrees, larger by 4 %, moved.
ANGLE = np.deg2rad(6)
MOVED = np.array(
    [
        [1.04 * np.cos(ANGLE), -1.04 * np.sin(ANGLE), 0, 8],
        [1.04 * np.sin(ANGLE), 1.04 * np.cos(ANGLE), 0, -12],
        [0, 0, 1.04, 5],
        [0, 0, 0, 1],
    ]
)
# Stored from left to right the other way round, as many scanners do.
SHAPE = (70, 84, 66)
AFFINE = np.array([[-SPACING_MM, 0, 0, 105], [0, SPACING_MM, 0, -142], [0, 0, SPACING_MM, -92], [0, 0, 0, 1]])
# The ball: centre in the template's mm, radius in mm.
CENTRE, RADIUS_MM = np.array([22.0, -30.0, 20.0]), 14.0


def points() -> np.ndarray:
    """The template's point of every voxel of a scan, (I, J, K, 3)."""
    there = np.moveaxis(np.indices(SHAPE), 0, -1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    back = np.linalg.inv(MOVED)
    return there @ back[:3, :3].T + back[:3, 3]


def ball() -> np.ndarray:
    """The voxels of the ball, bool (I, J, K)."""
    return np.linalg.norm(points() - CENTRE, axis=-1) < RADIUS_MM


def write(path: Path, *, lesion: bool = True, inverted: bool = False) -> Path:
    """Write a stripped brain.

    Args:
        path: the file.
        lesion: whether it has the ball.
        inverted: whether fluid is bright and white matter dark, as in T2w.
    """
    known = template.native_template()
    index = (points() - known.t1w.affine[:3, 3]) @ np.linalg.inv(known.t1w.affine[:3, :3]).T
    values = ndimage.map_coordinates(known.t1w.array, np.moveaxis(index, -1, 0), order=1)
    brain = ndimage.map_coordinates(known.brain.array.astype(float), np.moveaxis(index, -1, 0), order=1) > 0.5
    if inverted:
        values = 1.1 - values
    noisy = values + 0.02 * np.random.default_rng(0).standard_normal(SHAPE)
    image = np.where(brain, 80 * np.clip(np.where(lesion & ball(), 0.15, noisy), 0.05, None), 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(image.astype(np.float32), AFFINE), path)
    return path
