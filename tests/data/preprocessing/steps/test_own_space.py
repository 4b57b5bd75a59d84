"""Images that keep their own space: grids, single slices, and what is refused."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from madad.core.io.volumes import Volume, load_image, load_mask
from madad.data.preprocessing import derivative_names, session
from madad.data.preprocessing.steps import own_space
from tests.data.preprocessing.conftest import row, written

KEPT = {"skull_strip": "none", "bias_field": "none", "registration": "none", "spacing_mm": 2.0, "shape": None}


def slice_of(shape: tuple[int, int, int] = (45, 53, 1), spacing: tuple[float, float, float] = (2.0, 2.0, 5.0)) -> Volume:
    """A slice of a brain in two pieces, with a dark hole, on a grid that is not at the origin."""
    x, y = (np.arange(n) - n / 2 for n in shape[:2])
    inside = (x[:, None] / (0.4 * shape[0])) ** 2 + (y[None] / (0.42 * shape[1])) ** 2 < 1
    inside[shape[0] // 2 - 1 : shape[0] // 2 + 1] = False
    values = np.random.default_rng(0).uniform(50, 100, shape[:2])
    array = np.where(inside, values, 0)[..., None].repeat(shape[2], axis=2)
    array[shape[0] // 4, shape[1] // 2] = 0
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-44, -50, 18)
    return Volume(array.astype(np.float32), affine)


def processed(folder: Path, image: Volume, lesion: np.ndarray | None = None, **options: object) -> tuple[dict, dict]:
    mask = "" if lesion is None else str(written(folder / "lesion.nii.gz", image.with_array(lesion.astype(np.uint8))))
    known = row("sub-01", written(folder / "image.nii.gz", image), lesion_mask=mask, modality="FLAIR")
    files = derivative_names.derivatives(folder, known, own_space.SPACE)
    files["image"].parent.mkdir(exist_ok=True)
    (measures,) = session.preprocess([known], {"FLAIR": files}, {**KEPT, **options})
    return measures, files


def test_a_single_slice_goes_through_voxel_by_voxel(tmp_path: Path) -> None:
    image = slice_of()
    lesion = np.zeros(image.array.shape, dtype=bool)
    lesion[30:33, 20:22], lesion[28, 30] = True, True
    measures, files = processed(tmp_path, image, lesion)
    assert (measures["status"], measures["warning"], measures["brain_volume_ml"]) == ("ok", "", "")
    done, brain, marked = (load(files[key]) for load, key in ((load_image, "image"), (load_mask, "brain"), (load_mask, "lesion")))
    assert done.array.shape == (48, 64, 1) and done.spacing_mm == (2.0, 2.0, 5.0)
    start = np.rint(np.linalg.inv(done.affine) @ image.affine[:, 3]).astype(int)[:2]
    window = (slice(start[0], start[0] + 45), slice(start[1], start[1] + 53))
    np.testing.assert_array_equal(done.array[window], image.array)
    np.testing.assert_array_equal(marked.array[window], lesion)
    assert done.array.sum() == pytest.approx(image.array.sum()) and marked.array.sum() == lesion.sum()
    # both pieces are brain, and so is the hole in one of them
    np.testing.assert_array_equal(brain.array[window][..., 0], ndimage.binary_fill_holes(image.array[..., 0] > 0))
    assert files["picture"].exists() and "_space-common_" in files["image"].name


def test_other_voxels_are_interpolated_in_the_plane(tmp_path: Path) -> None:
    image = slice_of((90, 106, 1), (1.0, 1.0, 5.0))
    lesion = np.zeros(image.array.shape, dtype=bool)
    lesion[60:70, 40:50] = True
    measures, files = processed(tmp_path, image, lesion)
    done = load_image(files["image"])
    assert done.array.shape == (48, 64, 1) and done.spacing_mm == (2.0, 2.0, 5.0)
    assert float(measures["lesion_ml"]) == pytest.approx(float(measures["lesion_native_ml"]), rel=0.05)


def test_an_image_of_two_axes_is_a_slice(tmp_path: Path) -> None:
    image = slice_of()
    flat = nib.Nifti1Image(image.array[..., 0], image.affine)
    assert flat.header["dim"][0] == 2
    nib.save(flat, tmp_path / "flat.nii.gz")
    read = load_image(tmp_path / "flat.nii.gz")
    np.testing.assert_array_equal(read.array, image.array)
    np.testing.assert_allclose(read.affine, image.affine)


@pytest.mark.parametrize("bias", ["n4", "none"])
def test_a_volume_keeps_its_axes(tmp_path: Path, bias: str) -> None:
    measures, files = processed(tmp_path, slice_of((90, 106, 80), (2.0, 2.0, 2.0)), bias_field=bias)
    assert (measures["status"], measures["reason"]) == ("ok", "")
    done = load_image(files["image"])
    assert done.array.shape == (96, 112, 80) and measures["grid"].startswith("96 x 112 x 80 voxels")
    assert not {"template_dice", "registration_nmi"} & measures.keys()


def test_n4_corrects_a_slice(tmp_path: Path) -> None:
    plain = slice_of((90, 106, 1))
    tilted = plain.with_array((plain.array * np.linspace(0.6, 1.4, 90)[:, None, None]).astype(np.float32))
    _, files = processed(tmp_path, tilted, bias_field="n4")
    done = load_image(files["image"]).array[..., 0]
    left, right = (float(half[half > 0].mean()) for half in (done[:48], done[48:]))
    assert abs(left / right - 1) < 0.1 < abs(0.8 / 1.2 - 1)


def test_shape_crops_and_pads_about_the_centre() -> None:
    grid = own_space.grid(slice_of(), {"spacing_mm": 2.0, "shape": [32, 64, 1]})
    assert grid.array.shape == (32, 64, 1)
    middles = [volume.affine @ [*(np.array(volume.array.shape) - 1) / 2, 1] for volume in (slice_of(), grid)]
    np.testing.assert_allclose(*middles, atol=2.0)


def test_equal_headers_give_equal_grids_and_others_do_not() -> None:
    first, same, shifted = slice_of(), slice_of(), slice_of()
    shifted.affine[0, 3] += 2
    described = [own_space.description(own_space.grid(image, KEPT)) for image in (first, same, shifted)]
    assert described[0] == described[1] != described[2]


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((45, 53, 1), {"registration": "affine"}, "set registration to none"),
        ((45, 53, 1), {"skull_strip": "template"}, "no brain can be found in a single slice"),
        ((45, 1, 53), {}, "not axial"),
    ],
)
def test_a_slice_that_cannot_be_used_is_refused_by_name(tmp_path: Path, shape: tuple, options: dict, words: str) -> None:
    array = np.random.default_rng(1).uniform(1, 2, shape).astype(np.float32)
    array[:5] = 0
    measures, _ = processed(tmp_path, Volume(array, slice_of().affine), **options)
    assert measures["status"] == "failed" and words in measures["reason"] and "image.nii.gz" in measures["reason"]
