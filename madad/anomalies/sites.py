"""Regions of the template in which a lesion's centre is drawn, and what of a brain is fluid."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from madad.errors import UserError
from madad.stores import Pack
from madad.template import template_on_grid

SITES = ("anywhere", "cortical", "white_matter", "deep_grey", "infratentorial")
# Healthy subjects of a pack that decide whether lesions are dark or bright in it.
JUDGES = 5
# Fluid can be told from tissue when it is so many times as far from it as grey from white matter.
DISTINCT = 0.5


def site_weights(spacing_mm: float) -> dict[str, np.ndarray]:
    """Weight of every template voxel as a lesion's centre, (S, H, W) float32, by site.

    Sites are drawn from tissue probabilities, depth below the brain's surface and MNI coordinates: cortical (grey matter
    within 15 mm of the surface), white_matter (deeper than 10 mm), deep_grey (basal ganglia and thalamus),
    infratentorial (cerebellum and brainstem), anywhere (all tissue).
    """
    template = template_on_grid(spacing_mm)
    grey, white, brain = (volume.array.transpose(2, 1, 0) for volume in (template.grey, template.white, template.brain))
    depth = ndimage.distance_transform_edt(np.pad(brain, 1))[1:-1, 1:-1, 1:-1] * spacing_mm
    z, y, x = coordinates(template.brain.affine, brain.shape)
    below = infratentorial(template.brain.affine, brain.shape)
    nuclei = (z > -12) & (z < 22) & (y > -35) & (y < 25) & (np.abs(np.abs(x) - 23) < 15)
    tissue = np.where(brain > 0, grey + white, 0)
    return {
        "anywhere": tissue,
        "cortical": np.where((grey > 0.4) & (depth <= 15) & ~below, tissue, 0),
        "white_matter": np.where((white > 0.6) & (depth > 10) & ~below, tissue, 0),
        "deep_grey": np.where((grey > 0.3) & (depth > 25) & nuclei, tissue, 0),
        "infratentorial": np.where(below & (tissue > 0.5), tissue, 0),
    }


def coordinates(affine: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """MNI coordinates in mm along (S, H, W) of a template grid, shaped to be broadcast over it."""
    lines = [affine[axis, axis] * np.arange(n) + affine[axis, 3] for axis, n in zip((2, 1, 0), shape, strict=True)]
    return list(np.ix_(*lines))


def infratentorial(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Cerebellum and brainstem, about: what lies below two planes that fall off to the sides and the back, bool (S, H, W)."""
    z, y, x = coordinates(affine, shape)
    cerebellum = (z < -12 - 0.3 * np.abs(x) + 0.2 * (y + 40)) & (y < -30)
    brainstem = (np.abs(x) < 18) & (y > -45) & (y < -12) & (z < -12)
    return cerebellum | brainstem


def compartment(affine: np.ndarray, shape: tuple[int, ...], centre: np.ndarray) -> np.ndarray:
    """The side of the falx (x = 0) and of the tentorium that a voxel lies on: most lesions cross neither, bool (S, H, W)."""
    right, below = coordinates(affine, shape)[2] > 0, infratentorial(affine, shape)
    at = tuple(int(c) for c in centre)
    return (right == right[0, 0, at[2]]) & (below == below[at])


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


def tissue_levels(image: np.ndarray, brain: np.ndarray, grey: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Intensities of pure grey matter, white matter and fluid, (3,): least squares of a linear partial-volume model.

    Means over voxels would not do: the cortex is a few millimetres thin and takes its neighbours' intensities.

    Args:
        image, grey, white: intensities and tissue probabilities, (S, H, W); what is neither grey nor white is fluid.
        brain: bool.
    """
    parts = np.stack([grey[brain], white[brain], np.clip(1 - grey[brain] - white[brain], 0, 1)], axis=1)
    return np.linalg.lstsq(parts, image[brain], rcond=None)[0]


def tissue_sign(levels: np.ndarray) -> int:
    """Sign of a lesion's contrast: −1 where white matter is brighter than grey (T1w), else +1 (T2w, FLAIR).

    Source: Liu et al. 2025, arXiv:2501.13370.
    """
    return -1 if levels[1] > levels[0] else 1


def pack_sign(pack: Pack) -> int:
    """Sign of lesions in a pack's modality, learnt from its healthy images."""
    grey, white = tissue_maps(pack.spacing_mm[0], pack.shape, str(pack.path))
    judged = pack.healthy()[:JUDGES]
    votes = sum(tissue_sign(tissue_levels(pack.image(index), pack.brain(index), grey, white)) for index in judged)
    return 1 if votes > 0 else -1


def without_fluid(image: np.ndarray, brain: np.ndarray, grey: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Brain voxels that are no cerebrospinal fluid, bool: lesions grow in tissue, not in ventricles.

    A voxel is fluid when its intensity is nearer to that of fluid than to that of the tissue nearest to it; a median filter
    drops single voxels. Where fluid looks like tissue, all of the brain is kept.
    """
    *solids, fluid = tissue_levels(image, brain, grey, white)
    nearest = min(solids, key=lambda level: abs(level - fluid))
    between = min(solids) < fluid < max(solids)
    if between or abs(nearest - fluid) < DISTINCT * abs(solids[0] - solids[1]):
        return brain
    like_fluid = (image - (nearest + fluid) / 2) * np.sign(nearest - fluid) < 0
    kept = brain & ~ndimage.median_filter(like_fluid.astype(np.uint8), 3).astype(bool)
    return kept if kept.any() else brain
