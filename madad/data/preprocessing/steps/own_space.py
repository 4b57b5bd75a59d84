"""Images that lie in one common space already (`registration: none`): volumes or single slices, on grids of their own.

Nothing is registered, and no template says how the grid lies. The grid of an image is that of its file, padded to the size that
networks need, so that images with one header have one grid; `quality_control` leaves out those with another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from madad.configuration.pipelines import IN_PLANE_MULTIPLE, UNREGISTERED
from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import orientation
from madad.data.template import SLICE_MULTIPLE

# Label of the space in the names of files.
SPACE = "common"
# Voxel sizes that differ by less than this share are the same, and nothing is interpolated.
SAME = 0.01


def is_kept(options: Mapping[str, Any]) -> bool:
    """Return whether the images of a pipeline keep their own space."""
    return options["registration"] == UNREGISTERED


def grid(image: Volume, options: Mapping[str, Any]) -> Volume:
    """Return the grid that an image is carried to, float32 zeros (I, J, K).

    The axes of the file are kept. Voxels are cubes of `spacing_mm`; a single slice keeps its thickness. Where the file has that
    voxel size, the new voxels are those of the file. The sides are `shape`, centred on the image, or else the whole image, padded
    to multiples of 16 in the plane and of 8 slices; a single slice stays one.

    Args:
        image: RAS+ image.
        options: spacing_mm, and shape or None.
    """
    there = np.array(image.array.shape)
    spacing = np.array(image.spacing_mm)
    wanted = np.where(there == 1, spacing, float(options["spacing_mm"]))
    if np.abs(wanted / spacing - 1).max() <= SAME:
        wanted, size, axes = spacing, there, image.affine[:3, :3]
    else:
        size = np.maximum(np.round(there * spacing / wanted), 1).astype(int)
        axes = orientation.rotation(image.affine[:3, :3] / spacing) * wanted
    multiples = np.array([IN_PLANE_MULTIPLE, IN_PLANE_MULTIPLE, 1 if there[2] == 1 else SLICE_MULTIPLE])
    shape = np.array(options.get("shape") or -(-size // multiples) * multiples)
    affine = np.eye(4)
    affine[:3, :3] = axes
    # The two share their centres, up to half a voxel: an odd difference of the sides is split unevenly.
    centre = (image.affine @ [*(there - 1) / 2, 1.0])[:3]
    affine[:3, 3] = centre - axes @ ((size - 1) / 2 + (shape - size) // 2)
    return Volume(np.zeros(tuple(int(side) for side in shape), dtype=np.float32), affine)


def description(image: Volume) -> str:
    """Return size, voxel size, directions and position of a grid, equal for equal grids up to rounding."""
    numbers = " ".join(f"{value:.2f}" for value in (image.affine[:3] + 0.0).ravel())
    return f"{' x '.join(map(str, image.array.shape))} voxels, affine {numbers}".replace("-0.00", "0.00")


def check_slice(image: Volume, path: str, options: Mapping[str, Any]) -> None:
    """Refuse a single slice where a whole head is needed, or one that is not axial.

    Args:
        image: RAS+ image.
        path: its file, for the message.
        options: registration, skull_strip.

    Raises:
        SubjectError: as above.
    """
    shape = image.array.shape
    if min(shape) > 1:
        return
    if not is_kept(options):
        raise SubjectError(
            f"{path}: a single slice ({' x '.join(map(str, shape))} voxels) cannot be registered to a template; if all slices "
            "lie in one common space, set registration to none in the pipeline of the cohort"
        )
    if min(shape[:2]) == 1:
        raise SubjectError(
            f"{path}: a single slice that is not axial by its header; store it with its first two axes in the plane"
        )
    if options["skull_strip"] not in ("none", "given"):
        raise SubjectError(
            f"{path}: no brain can be found in a single slice; set skull_strip to none (stripped already) or given (with masks)"
        )
