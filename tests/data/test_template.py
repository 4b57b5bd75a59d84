"""The template of a pipeline: ICBM152, or a file of the user's."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import SubjectError, UserError
from madad.core.io.volumes import Volume, save_volume
from madad.data import template

SCALE = np.array([0.9, 1.1, 0.95])
SHIFT = np.array([30.0, -20.0, 12.0])


@pytest.fixture(scope="module")
def moved() -> Volume:
    """ICBM152 at 3 mm, stretched and shifted: a template of another space."""
    known = template.template_on_grid(3.0)
    affine = known.t1w.affine.copy()
    affine[:3, :3] *= SCALE
    affine[:3, 3] = affine[:3, 3] * SCALE + SHIFT
    return Volume(1000 * known.t1w.array * known.brain.array, affine)


@pytest.fixture(scope="module")
def file(moved: Volume, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("template") / "My_T1-brain.nii.gz"
    save_volume(path, moved)
    return str(path)


def bounds_mm(mask: Volume) -> np.ndarray:
    points = np.argwhere(mask.array > 0) @ mask.affine[:3, :3].T + mask.affine[:3, 3]
    return np.array([points.min(axis=0), points.max(axis=0)])


@pytest.mark.parametrize(("spacing_mm", "side"), [(1.0, 192), (2.0, 96), (3.0, 64), (4.0, 48)])
def test_grids_of_icbm152_stay_as_they_are(spacing_mm: float, side: int) -> None:
    found = template.target({"spacing_mm": spacing_mm})
    assert found.brain.array.shape[:2] == (side, side) and found.brain.array.shape[2] % 8 == 0
    assert found is template.target({"spacing_mm": spacing_mm, "template": "icbm152", "template_brain": None, "shape": None})
    if spacing_mm == 2.0:
        np.testing.assert_array_equal(found.brain.affine[:3, 3], (-95, -112, -82))
        assert found.brain.array.sum() == 235368


def test_a_shape_is_centred_on_the_brain_and_crops_or_pads_it() -> None:
    whole, cut = (template.target({"spacing_mm": 4.0, "shape": shape}) for shape in (None, [48, 64, 24]))
    assert cut.t1w.array.shape == (48, 64, 24) and cut.grey.array.shape == (48, 64, 24)
    middles = [one.affine[:3, :3] @ ((np.array(one.array.shape) - 1) / 2) + one.affine[:3, 3] for one in (whole.t1w, cut.t1w)]
    np.testing.assert_allclose(*middles)
    np.testing.assert_allclose(cut.t1w.array[:, 8:56], whole.t1w.array[:, :, 12:36], atol=1e-5)
    assert not cut.brain.array[:, :8].any()


def test_a_file_gives_its_own_space(file: str, moved: Volume) -> None:
    found = template.target({"spacing_mm": 3.0, "template": file})
    assert found.grey is None and found.white is None
    assert found.t1w.array.shape[0] == found.t1w.array.shape[1] and found.t1w.array.shape[0] % 16 == 0
    assert found.t1w.array.max() == pytest.approx(1, abs=0.05) and not found.t1w.array[found.brain.array == 0].mean() > 0.05
    known = moved.with_array(moved.array > 0)
    assert np.abs(bounds_mm(found.brain) - bounds_mm(known)).max() <= 3.5
    assert found.brain.array.sum() * found.brain.voxel_ml == pytest.approx(known.array.sum() * known.voxel_ml, rel=0.05)


def test_native_keeps_the_voxels_of_the_file_in_ras(moved: Volume, tmp_path: Path) -> None:
    flipped = Volume(moved.array[::-1], moved.affine @ [[-1, 0, 0, moved.array.shape[0] - 1], *np.eye(4)[1:]])
    save_volume(tmp_path / "lps.nii.gz", flipped)
    found = template.native({"template": tmp_path / "lps.nii.gz"})
    np.testing.assert_allclose(found.t1w.affine, moved.affine, atol=1e-4)
    assert np.corrcoef(found.t1w.array.ravel(), moved.array.ravel())[0, 1] > 0.999


def test_a_head_needs_its_brain_mask(moved: Volume, tmp_path: Path) -> None:
    head, mask = tmp_path / "head.nii.gz", tmp_path / "mask.nii.gz"
    save_volume(head, moved.with_array(moved.array + 50))
    save_volume(mask, moved.with_array((moved.array > 0).astype(np.uint8)))
    with pytest.raises(
        UserError, match=r"head\.nii\.gz does not look like a stripped brain: .* set template_brain to its brain mask"
    ):
        template.target({"spacing_mm": 4.0, "template": head})
    found = template.target({"spacing_mm": 4.0, "template": head, "template_brain": mask})
    assert not found.t1w.array[0].any() and found.brain.array.any()


def test_points_find_their_way_to_mni(file: str) -> None:
    assert np.array_equal(template.to_mni({"template": "icbm152"}), np.eye(4))
    matrix = template.to_mni({"template": file})
    points = np.array([[-40.0, 20, 30], [10, -60, -20], [0, 0, 0]])
    carried = (points * SCALE + SHIFT) @ matrix[:3, :3].T + matrix[:3, 3]
    assert np.abs(carried - points).max() < 1.0


def test_a_brain_cut_at_the_border_is_a_brain_and_a_large_head_is_none(tmp_path: Path) -> None:
    known = template.native_template()
    brain = known.t1w.array * known.brain.array
    assert brain[:, :, 0].any()  # the brainstem
    save_volume(tmp_path / "cut.nii.gz", known.t1w.with_array(brain))
    found = template.native({"template": tmp_path / "cut.nii.gz"}).brain.array
    assert int(found.sum()) == pytest.approx(int(known.brain.array.sum()), rel=0.01)
    save_volume(tmp_path / "large.nii.gz", Volume(brain[:, :, 8:], np.diag([1.2, 1.2, 1.2, 1])))
    with pytest.raises(UserError, match=r"large\.nii\.gz does not look like a stripped brain: 3[0-9]{3} ml"):
        template.native({"template": tmp_path / "large.nii.gz"})


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("icbm152", "MNI152"),
        (None, "MNI152"),
        ("/x/T1_brain.nii", "T1brain"),
        ("sri-24.v2.nii.gz", "sri24v2"),
        ("__.nii", "template"),
    ],
)
def test_space_is_a_label_of_letters_and_digits(path: str | None, label: str) -> None:
    assert template.space({"template": path}) == label


def test_a_file_that_cannot_be_used_ends_the_run(tmp_path: Path) -> None:
    for name, array in (("constant", np.ones((5, 5, 5))), ("four", np.random.default_rng(0).random((4, 4, 4, 3)))):
        nib.save(nib.Nifti1Image(array.astype(np.float32), np.eye(4)), tmp_path / f"{name}.nii.gz")
    (tmp_path / "text.nii").write_text("no image")
    for name, says in (
        ("constant.nii.gz", "the image is empty"),
        ("four.nii.gz", "shape \\(4, 4, 4, 3\\)"),
        ("text.nii", "not a readable NIfTI file"),
        ("none.nii", "no such file"),
    ):
        with pytest.raises(UserError, match=f"pipelines.template: .*{name}.*{says}") as caught:
            template.target({"spacing_mm": 4.0, "template": tmp_path / name})
        assert not isinstance(caught.value, SubjectError)
