"""A synthetic lesion in one image, by the generator that makes the implanted test sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from madad.configuration.lesion_options import Anomalies
from madad.core.errors import UserError, did_you_mean
from madad.core.io.volumes import Volume, grid_difference
from madad.core.seeds import numpy_generator
from madad.core.shapes import shape3
from madad.data.anomalies import insertion, sites
from madad.data.anomalies.generator import describe_region
from madad.data.anomalies.lesion_masks import main_piece, read_folder
from madad.detection.result import nifti

# Voxels may differ in size by this part.
ISOTROPIC = 1e-3


def implant(
    image: nib.Nifti1Image, brain: nib.Nifti1Image, recipe: Mapping[str, Any], seed: int, lesion_masks: str | Path | None
) -> tuple[nib.Nifti1Image, nib.Nifti1Image]:
    """Return the image with a lesion, and the lesion's mask; see `madad.api.implant`.

    Args:
        image: in ICBM152 space, RAS+ and isotropic, in [0, 1].
        brain: brain mask on the same grid.
        recipe: volume_ml, contrast, sign (0 for that of the sequence) and site.
        seed: of shape and place.
        lesion_masks: folder of real masks, or None.
    """
    healthy, mask = (Volume(np.asarray(one.dataobj), np.asarray(one.affine, dtype=float)) for one in (image, brain))
    _check(healthy, mask, recipe)
    array = np.ascontiguousarray(healthy.array.transpose(2, 1, 0), dtype=np.float32)
    inside = np.ascontiguousarray(mask.array.transpose(2, 1, 0)) > 0
    shape, affine = shape3(array.shape), healthy.affine
    grey, white = sites.tissue_maps(affine, shape, "the image")
    sign = int(recipe["sign"]) or sites.tissue_sign(sites.tissue_levels(array, inside, grey, white))
    options = Anomalies().model_dump()
    lesions = [main_piece(lesion) for lesion in read_folder(lesion_masks)] if lesion_masks else []
    made = insertion.implant(
        array,
        sites.without_fluid(array, inside, grey, white),
        describe_region(inside, healthy.spacing_mm[0], options["boundary"], affine),
        sites.site_weights(affine, shape)[recipe["site"]],
        insertion.Recipe(float(recipe["volume_ml"]), float(recipe["contrast"]), sign, recipe["site"]),
        lesions,
        options,
        numpy_generator(seed, "implant one"),
    )
    if made is None:
        raise UserError(
            f"implant: no room in the brain for {recipe['volume_ml']:g} ml ({recipe['site']}); choose a smaller lesion"
        )
    lesioned, lesion = made.image.transpose(2, 1, 0), made.lesion.transpose(2, 1, 0).astype(np.uint8)
    return nifti(Volume(lesioned, affine)), nifti(Volume(lesion, affine))


def _check(healthy: Volume, mask: Volume, recipe: Mapping[str, Any]) -> None:
    problem = grid_difference(healthy, mask)
    if problem:
        raise UserError(f"implant: image and brain are on different grids ({problem}); give them on one")
    axes, side = healthy.affine[:3, :3], healthy.spacing_mm[0]
    if np.abs(axes - side * np.eye(3)).max() > ISOTROPIC * side:
        raise UserError("implant: the image is not RAS+ with cubic voxels; give what `preprocess` returns")
    inside = healthy.array[mask.array > 0]
    if not inside.size or inside.min() < 0 or inside.max() > 1:
        raise UserError("implant: the brain has values outside 0 to 1, or no voxel; give what `preprocess` returns")
    if recipe["site"] not in sites.SITES:
        close = did_you_mean(recipe["site"], sites.SITES)
        raise UserError(f"implant: there is no site '{recipe['site']}'{close}; choose from {', '.join(sites.SITES)}")
    if recipe["sign"] not in (-1, 0, 1) or not recipe["volume_ml"] > 0 or not 0 < recipe["contrast"] <= 1:
        raise UserError("implant: sign is -1, 0 or 1, volume_ml above 0, and contrast above 0 and at most 1; correct them")
