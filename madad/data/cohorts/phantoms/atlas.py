"""Maps of the ICBM152 template that every phantom is based on, prepared once per process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from madad.core.io.volumes import Volume
from madad.data.cohorts.phantoms.fields import lattice, lattice_points, sample
from madad.data.template import native_template

# The head's box in mm: brain, face and the upper neck.
HEAD_LOW = (-112.0, -145.0, -190.0)
HEAD_HIGH = (112.0, 135.0, 120.0)
HEAD_SPACING = 2.0
# Deep grey matter and brain stem as (centre, radii) in mm: the template is already sharp there and has no folds.
DEEP = (((0, -12, 4), (37, 36, 24)), ((0, -28, -35), (22, 20, 38)))
# The ventricles lie in this box, at least this far below the surface of the brain.
VENTRICLES_LOW, VENTRICLES_HIGH, VENTRICLES_DEPTH = (-48, -70, -25), (48, 45, 40), 14.0


@dataclass(frozen=True)
class Atlas:
    """Maps in head coordinates.

    Attributes:
        grey: probability of grey matter at 1 mm.
        white: probability of white matter at 1 mm.
        brain: the brain mask at 1 mm as float.
        detail: the T1w template without its low frequencies at 1 mm, zero mean, unit variance inside white and grey matter.
        folded: weight in [0, 1] at 1 mm of the cortex and cerebellum, where folds differ between people.
        sulci: 0 to about 1 at 1 mm, highest along the middle of the template's sulci, which averaging filled with grey.
        surface_mm: signed distance to the smooth hull of the brain at 2 mm, negative inside.
        ventricle_mm: distance to the ventricles at 2 mm, 0 inside.
    """

    grey: Volume
    white: Volume
    brain: Volume
    detail: Volume
    folded: Volume
    sulci: Volume
    surface_mm: Volume
    ventricle_mm: Volume


@lru_cache(maxsize=1)
def atlas() -> Atlas:
    """Return the maps; the first call in a process takes about 4 s."""
    template = native_template()
    brain = template.brain.with_array(template.brain.array.astype(np.float32))
    surface = _surface(brain)
    ventricles = _ventricles(template.grey, template.white, surface)
    distance = ndimage.distance_transform_edt(ventricles.array < 0.5).astype(np.float32) * HEAD_SPACING
    return Atlas(
        grey=template.grey,
        white=template.white,
        brain=brain,
        detail=_detail(template.t1w, template.grey.array + template.white.array),
        folded=_folded(brain, surface),
        sulci=_sulci(template.white),
        surface_mm=surface,
        ventricle_mm=ventricles.with_array(np.maximum(distance - HEAD_SPACING / 2, 0)),
    )


def head_lattice(spacing_mm: float = HEAD_SPACING) -> Volume:
    """Return an empty lattice over the whole head."""
    return lattice(HEAD_LOW, HEAD_HIGH, spacing_mm)


def ellipsoid(points: np.ndarray, centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    """Return the approximate signed distance in mm to an ellipsoid's surface, negative inside, shape (N,)."""
    scaled = (points - np.array(centre, np.float32)[:, None]) / np.array(radii, np.float32)[:, None]
    return (np.sqrt((scaled**2).sum(axis=0)) - 1) * float(min(radii))


def _surface(brain: Volume) -> Volume:
    """Return the signed distance to the brain closed by 16 mm, so that the skull bridges fissures and cisterns."""
    grid = head_lattice()
    inside = sample(brain, lattice_points(grid), outside=0.0).reshape(grid.array.shape) > 0.5
    reach = 16.0
    grown = ndimage.distance_transform_edt(~inside) * HEAD_SPACING <= reach
    closed = ndimage.distance_transform_edt(grown) * HEAD_SPACING > reach
    outside = ndimage.distance_transform_edt(~closed) - ndimage.distance_transform_edt(closed)
    return grid.with_array(ndimage.gaussian_filter((outside * HEAD_SPACING).astype(np.float32), 1.0))


def _ventricles(grey: Volume, white: Volume, surface: Volume) -> Volume:
    """Return the lateral and third ventricles on the head's lattice: fluid deep inside the brain."""
    points = lattice_points(surface)
    fluid = 1 - sample(grey, points, outside=0.0) - sample(white, points, outside=0.0)
    box = (points > np.array(VENTRICLES_LOW)[:, None]) & (points < np.array(VENTRICLES_HIGH)[:, None])
    deep = box.all(axis=0) & (surface.array.ravel() < -VENTRICLES_DEPTH)
    seeds = (deep & (fluid > 0.5)).reshape(surface.array.shape)
    labels, _ = ndimage.label(seeds)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return surface.with_array(np.isin(labels, np.flatnonzero(sizes > 40)).astype(np.float32))


def _detail(t1w: Volume, tissue: np.ndarray) -> Volume:
    high = t1w.array - ndimage.gaussian_filter(t1w.array, 2.5)
    inside = tissue > 0.9
    high = np.clip((high - high[inside].mean()) / high[inside].std(), -3, 3)
    return t1w.with_array((high * np.clip(tissue, 0, 1)).astype(np.float32))


def _sulci(white: Volume) -> Volume:
    """Return valleys of white matter between two banks: the positive Laplacian of Gaussian (Marr and Hildreth 1980) at 2 mm."""
    valleys = ndimage.gaussian_laplace(white.array, 2.0)
    return white.with_array(np.clip(valleys / np.percentile(valleys, 99.5), 0, 1.2).astype(np.float32))


def _folded(brain: Volume, surface: Volume) -> Volume:
    """Return the weight of cortex and cerebellum: within 28 mm of the surface, outside deep structures, with soft borders."""
    points = lattice_points(surface)
    deep = np.min([ellipsoid(points, *shape) for shape in DEEP], axis=0)
    weight = np.clip(deep / 8 + 0.5, 0, 1) * np.clip((surface.array.ravel() + 32) / 8, 0, 1)
    coarse = surface.with_array(weight.reshape(surface.array.shape).astype(np.float32))
    return brain.with_array(sample(coarse, lattice_points(brain)).reshape(brain.array.shape))
