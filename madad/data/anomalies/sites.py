"""Regions of the template in which a lesion's centre is drawn, and the fluid of a brain."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

from madad.core.errors import UserError
from madad.core.intensity_scale import seen
from madad.core.io.hdf5 import Pack
from madad.core.shapes import Shape3, shape3
from madad.data.template import native_template, resample

SITES = ("anywhere", "cortical", "white_matter", "deep_grey", "infratentorial")
# Number of healthy subjects of a pack that decide whether lesions are dark or bright in it.
VOTERS = 5
# Contrast of most lesions by sequence: longer T2 is bright where T2 weighs, longer T1 dark where T1 does.
SIGNS = {"FLAIR": 1, "T2w": 1, "PDw": 1, "T1w": -1}
# Fluid is distinct from tissue if their difference is at least this part of that of grey and white matter.
DISTINCT = 0.5
# Least part of the template's grey and white matter on any grid of a pipeline, cropped or not.
LEAST_TISSUE = 0.1


def site_weights(affine: np.ndarray, shape: Shape3) -> dict[str, np.ndarray]:
    """Return the weight of every voxel of a grid as a lesion's centre, (S, H, W) float32, by site.

    Sites are defined by tissue probabilities, depth below the brain's surface and MNI coordinates: cortical (grey matter
    within 15 mm of the surface), white_matter (deeper than 10 mm), deep_grey (basal ganglia and thalamus),
    infratentorial (cerebellum and brainstem), anywhere (all tissue).

    Args:
        affine: (4, 4), index (I, J, K) = (W, H, S) to MNI mm.
        shape: (S, H, W).
    """
    grey, white, share = _maps(shape, affine.tobytes())
    brain = share > 0.5
    depth = ndimage.distance_transform_edt(np.pad(brain, 1))[1:-1, 1:-1, 1:-1] * _spacing_mm(affine)
    z, y, x = coordinates(affine, brain.shape)
    below = infratentorial(affine, brain.shape)
    nuclei = (z > -12) & (z < 22) & (y > -35) & (y < 25) & (np.abs(np.abs(x) - 23) < 15)
    tissue = np.where(brain, grey + white, 0)
    return {
        "anywhere": tissue,
        "cortical": np.where((grey > 0.4) & (depth <= 15) & ~below, tissue, 0),
        "white_matter": np.where((white > 0.6) & (depth > 10) & ~below, tissue, 0),
        "deep_grey": np.where((grey > 0.3) & (depth > 25) & nuclei, tissue, 0),
        "infratentorial": np.where(below & (tissue > 0.5), tissue, 0),
    }


def coordinates(affine: np.ndarray, shape: Shape3) -> list[np.ndarray]:
    """Return the MNI coordinates in mm along (S, H, W) of a template grid, shaped to be broadcast over it."""
    lines = [affine[axis, axis] * np.arange(n) + affine[axis, 3] for axis, n in zip((2, 1, 0), shape, strict=True)]
    return list(np.ix_(*lines))


def infratentorial(affine: np.ndarray, shape: Shape3) -> np.ndarray:
    """Return the approximate cerebellum and brainstem, below planes that fall to the sides and the back, bool (S, H, W)."""
    z, y, x = coordinates(affine, shape)
    cerebellum = (z < -12 - 0.3 * np.abs(x) + 0.2 * (y + 40)) & (y < -30)
    brainstem = (np.abs(x) < 18) & (y > -45) & (y < -12) & (z < -12)
    return cerebellum | brainstem


def compartment(affine: np.ndarray, shape: Shape3, centre: np.ndarray) -> np.ndarray:
    """Return the side of the falx (x = 0) and of the tentorium that a voxel lies on, bool (S, H, W).

    Most lesions cross neither.
    """
    right, below = coordinates(affine, shape)[2] > 0, infratentorial(affine, shape)
    at = tuple(int(c) for c in centre)
    return (right == right[0, 0, at[2]]) & (below == below[at])


def tissue_maps(affine: np.ndarray, shape: Shape3, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of grey and white matter of ICBM152 on a grid, (S, H, W).

    Args:
        affine: (4, 4), index (I, J, K) = (W, H, S) to MNI mm; see `madad.data.template.to_mni`.
        shape: (S, H, W).
        source: file that has this grid, for messages.

    Raises:
        UserError: the grid lies elsewhere.
    """
    grey, white, _ = _maps(shape, affine.tobytes())
    whole = (native_template().grey.array + native_template().white.array).sum()
    if (grey + white).sum() * abs(np.linalg.det(affine[:3, :3])) < LEAST_TISSUE * whole:
        raise UserError(f"{source}: the template's brain does not lie on its grid {shape}; make it again")
    return grey, white


@lru_cache(maxsize=2)
def _maps(shape: Shape3, affine: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return grey matter, white matter and brain of ICBM152 on a grid, each (S, H, W)."""
    matrix, native = np.frombuffer(affine).reshape(4, 4), native_template()
    brain = native.brain.with_array(native.brain.array.astype(np.float32))
    maps = (
        resample(volume, shape3(reversed(shape)), matrix, _spacing_mm(matrix)) for volume in (native.grey, native.white, brain)
    )
    grey, white, share = (one.transpose(2, 1, 0) for one in maps)
    return grey, white, share


def _spacing_mm(affine: np.ndarray) -> float:
    return float(np.linalg.norm(affine[:3, :3], axis=0).mean())


def tissue_levels(image: np.ndarray, brain: np.ndarray, grey: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Return the intensities of pure grey matter, white matter and fluid, (3,), by a linear partial-volume model.

    Means over voxels would be wrong: the cortex is a few millimetres thin and mixes with its neighbours.

    Args:
        image: intensities, (S, H, W).
        brain: brain mask, (S, H, W) bool.
        grey: probability of grey matter, (S, H, W); what is neither grey nor white is fluid.
        white: probability of white matter, (S, H, W).
    """
    parts = np.stack([grey[brain], white[brain], np.clip(1 - grey[brain] - white[brain], 0, 1)], axis=1)
    return np.linalg.lstsq(parts, image[brain], rcond=None)[0]


def tissue_sign(levels: np.ndarray) -> int:
    """Return the sign of a lesion's contrast: −1 where white matter is brighter than grey (T1w), else +1 (T2w, FLAIR).

    Source: Liu et al. 2025, arXiv:2501.13370.
    """
    return -1 if levels[1] > levels[0] else 1


def pack_sign(pack: Pack, to_mni: np.ndarray | None) -> int:
    """Return the sign of lesions in a pack's modality: decided by its healthy images, or by its name where no tissue is known.

    Args:
        pack: pack with healthy images.
        to_mni: (4, 4), world mm of the pack to MNI mm; None for images that are not registered.

    Raises:
        UserError: the images are not registered, and the modality is none whose lesions are known to be bright or dark.
    """
    if to_mni is None:
        if pack.modality not in SIGNS:
            raise UserError(
                f"{pack.path}: are lesions bright or dark on {pack.modality}? Without registration no tissue shows it; "
                f"register the images, or use {', '.join(SIGNS)}"
            )
        return SIGNS[pack.modality]
    grey, white = tissue_maps(to_mni @ pack.affine, pack.shape, str(pack.path))
    voters = pack.healthy()[:VOTERS]
    votes = sum(tissue_sign(tissue_levels(seen(pack.image(index)), pack.brain(index), grey, white)) for index in voters)
    return 1 if votes > 0 else -1


def without_fluid(image: np.ndarray, brain: np.ndarray, grey: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Return the brain voxels that are no cerebrospinal fluid, bool: lesions grow in tissue, not in ventricles.

    A voxel is fluid if its intensity is nearer to that of fluid than to that of the more similar tissue; a median filter removes
    single voxels. Where fluid looks like tissue, the whole brain is kept.
    """
    *solids, fluid = tissue_levels(image, brain, grey, white)
    nearest = min(solids, key=lambda level: abs(level - fluid))
    between = min(solids) < fluid < max(solids)
    if between or abs(nearest - fluid) < DISTINCT * abs(solids[0] - solids[1]):
        return brain
    like_fluid = (image - (nearest + fluid) / 2) * np.sign(nearest - fluid) < 0
    kept = brain & ~ndimage.median_filter(like_fluid.astype(np.uint8), 3).astype(bool)
    return kept if kept.any() else brain
