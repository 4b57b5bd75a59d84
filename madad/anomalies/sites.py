"""Regions of the template in which a lesion's centre is drawn, and what of a brain is fluid."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from madad.anomalies.appearance import tissue_sign
from madad.errors import UserError
from madad.stores import Pack
from madad.template import template_on_grid

SITES = ("anywhere", "cortical", "white_matter", "deep_grey", "infratentorial")
# Healthy subjects of a pack that decide whether lesions are dark or bright in it.
JUDGES = 5
# Voxels with less tissue than this are taken to learn how fluid looks, with more than this how tissue looks.
FLUID_TISSUE = 0.15
SOLID_TISSUE = 0.9


def site_weights(spacing_mm: float) -> dict[str, np.ndarray]:
    """Weight of every template voxel as a lesion's centre, (S, H, W) float32, by site.

    Sites are drawn from tissue probabilities, depth below the brain's surface and MNI coordinates: cortical (grey matter
    within 15 mm of the surface), white_matter (deeper than 10 mm), deep_grey (grey matter deeper than 25 mm),
    infratentorial (cerebellum and brainstem), anywhere (all tissue).
    """
    template = template_on_grid(spacing_mm)
    grey, white, brain = (volume.array.transpose(2, 1, 0) for volume in (template.grey, template.white, template.brain))
    depth = ndimage.distance_transform_edt(np.pad(brain, 1))[1:-1, 1:-1, 1:-1] * spacing_mm
    z, y, x = (
        template.brain.affine[axis, axis] * np.arange(n) + template.brain.affine[axis, 3]
        for axis, n in zip((2, 1, 0), brain.shape, strict=True)
    )
    below = (z < -25)[:, None, None] & (y < -30)[None, :, None] & (np.abs(x) < 45)[None, None]
    tissue = np.where(brain > 0, grey + white, 0)
    return {
        "anywhere": tissue,
        "cortical": np.where((grey > 0.4) & (depth <= 15) & ~below, tissue, 0),
        "white_matter": np.where((white > 0.6) & (depth > 10) & ~below, tissue, 0),
        "deep_grey": np.where((grey > 0.4) & (depth > 25) & ~below, tissue, 0),
        "infratentorial": np.where(below & (tissue > 0.5), tissue, 0),
    }


def tissue_maps(spacing_mm: float, shape: tuple[int, ...], source: str) -> tuple[np.ndarray, np.ndarray]:
    """Grey and white matter probabilities of the template, (S, H, W).

    Raises:
        UserError: the pack is not on the template's grid.
    """
    template = template_on_grid(spacing_mm)
    grey, white = (volume.array.transpose(2, 1, 0) for volume in (template.grey, template.white))
    if grey.shape != tuple(shape):
        raise UserError(
            f"{source}: its grid {tuple(shape)} is not the template's {grey.shape} at {spacing_mm:g} mm; make it again"
        )
    return grey, white


def pack_sign(pack: Pack) -> int:
    """Sign of lesions in a pack's modality, learnt from its healthy images: −1 darker, +1 brighter (`tissue_sign`)."""
    grey, white = tissue_maps(pack.spacing_mm[0], pack.shape, str(pack.path))
    votes = 0
    for index in pack.healthy()[:JUDGES]:
        brain = pack.brain(index)
        votes += tissue_sign(pack.image(index), grey * brain, white * brain)
    return 1 if votes > 0 else -1


def without_fluid(image: np.ndarray, brain: np.ndarray, grey: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Brain voxels that are no cerebrospinal fluid, bool: lesions grow in tissue, not in ventricles.

    A voxel is fluid when its intensity is nearer to that of the template's fluid than to that of its tissue, provided the
    two differ clearly; a median filter drops single voxels.
    """
    tissue = grey + white
    fluid, solid = image[brain & (tissue < FLUID_TISSUE)], image[brain & (tissue > SOLID_TISSUE)]
    if min(fluid.size, solid.size) < 20:
        return brain
    low, high = np.median(fluid), np.median(solid)
    if abs(high - low) < solid.std():
        return brain
    like_fluid = (image - (low + high) / 2) * np.sign(high - low) < 0
    kept = brain & ~ndimage.median_filter(like_fluid.astype(np.uint8), 3).astype(bool)
    return kept if kept.any() else brain
