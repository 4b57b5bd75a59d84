"""From the grid of the template back to that of a scan: maps are interpolated, masks keep their volume."""

from __future__ import annotations

import numpy as np

from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import lesion_resampling, registration


def carry_map(values: Volume, to_scan: np.ndarray, scan: Volume) -> Volume:
    """Return a map on the grid of a scan, float32, by cubic B-splines; 0 where the template's grid does not reach.

    Args:
        values: on the template's grid.
        to_scan: (4, 4), points of the template to points of the scan, RAS+ mm.
        scan: any image on the grid wanted, with whatever order of axes.
    """
    return scan.with_array(registration.carry_image(values, np.linalg.inv(to_scan), scan))


def carry_mask(mask: Volume, to_scan: np.ndarray, scan: Volume) -> Volume:
    """Return a mask of lesions on the grid of a scan, uint8, of the volume that it has in the scan's space.

    Arguments as of `carry_map`.
    """
    return scan.with_array(
        lesion_resampling.carry(mask.with_array((mask.array > 0).astype(np.uint8)), np.linalg.inv(to_scan), scan)
    )


def carry_brain(mask: Volume, to_scan: np.ndarray, scan: Volume) -> Volume:
    """Return a brain mask on the grid of a scan, uint8. Arguments as of `carry_map`."""
    return scan.with_array(registration.carry_label(mask, np.linalg.inv(to_scan), scan))
