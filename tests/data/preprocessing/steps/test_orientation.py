from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import orientation

PSR = np.array([[0.0, 0, 1, -20], [-2, 0, 0, 50], [0, 3, 0, -30], [0, 0, 0, 1]])


def test_to_ras_reorders_and_keeps_world_positions() -> None:
    array = np.zeros((30, 20, 40), dtype=np.float32)
    array[3, 5, 7] = 1
    ras = orientation.to_ras(Volume(array, PSR))
    assert nib.aff2axcodes(ras.affine) == ("R", "A", "S")
    index = np.argwhere(ras.array == 1)[0]
    np.testing.assert_allclose(ras.affine @ [*index, 1], PSR @ [3, 5, 7, 1])


def test_isotropic_keeps_the_centre_of_a_blob_in_thick_slices() -> None:
    affine = np.diag([0.7, 0.7, 4.0, 1.0])
    i, j, k = np.indices((100, 90, 20))
    blob = np.exp(-(((i - 60) * 0.7) ** 2 + ((j - 40) * 0.7) ** 2 + ((k - 9) * 4.0) ** 2) / (2 * 8.0**2)).astype(np.float32)
    result = orientation.isotropic(Volume(blob, affine), 2.0)
    assert result.spacing_mm == pytest.approx((2, 2, 2))
    centre = result.affine @ [*ndimage.center_of_mass(result.array), 1]
    np.testing.assert_allclose(centre[:3], [42, 28, 36], atol=0.2)


def test_isotropic_covers_the_same_field_of_view() -> None:
    volume = Volume(np.ones((64, 50, 20), dtype=np.float32), np.diag([1.0, 1.3, 5.0, 1.0]))
    result = orientation.isotropic(volume, 2.0)
    np.testing.assert_allclose(np.array(result.array.shape) * 2, np.array([64, 65, 100]), atol=1)


def test_isotropic_straightens_sheared_axes_and_keeps_places() -> None:
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 2] = 0.6
    i, j, k = np.indices((60, 60, 60))
    blob = np.exp(-((i - 30) ** 2 + (j - 30) ** 2 + (k - 45) ** 2) / 20.0).astype(np.float32)
    result = orientation.isotropic(Volume(blob, affine), 2.0)
    axes = result.affine[:3, :3] / 2
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    centre = result.affine @ [*ndimage.center_of_mass(result.array), 1]
    np.testing.assert_allclose(centre, affine @ [30, 30, 45, 1], atol=0.2)


@pytest.mark.parametrize("spacing", [1.0, 1000.0])
def test_check_extent_refuses_what_is_no_head(spacing: float) -> None:
    with pytest.raises(SubjectError, match=r"a\.nii: the field of view is"):
        orientation.check_extent(Volume(np.zeros((8, 8, 8)), np.diag([spacing] * 3 + [1.0])), "a.nii")
