"""Whole ways of one synthetic head, with the errors that files can bring."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.errors import SubjectError
from madad.manifest import Row
from madad.preprocessing import naming, subject
from madad.template import template_on_grid
from madad.volumes import load_image, load_mask
from tests.preprocessing.conftest import OPTIONS, QUICK, SyntheticHead, row, written


@pytest.fixture(scope="module")
def bet_files(head: SyntheticHead, lesion: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("template")
    (folder / "sub-01").mkdir()
    image, brain, lesion_path = (
        written(folder / name, volume)
        for name, volume in (
            ("t1.nii.gz", head.image),
            ("brain.nii.gz", head.image.with_array(head.brain.astype(np.uint8))),
            ("lesion.nii.gz", head.image.with_array(lesion.astype(np.uint8))),
        )
    )
    known = row("sub-01", image, brain_mask=str(brain), lesion_mask=str(lesion_path))
    files = naming.derivatives(folder, known)
    return {**files, "measures": subject.preprocess(known, files, OPTIONS)}


def test_a_head_is_stripped_and_registered(bet_files: dict) -> None:
    measures = bet_files["measures"]
    assert float(measures["reference_dice"]) > 0.93
    assert float(measures["template_dice"]) > 0.9
    assert measures["warning"] == ""


def test_results_lie_on_the_grid_of_the_template(bet_files: dict) -> None:
    template = template_on_grid(4.0)
    image = load_image(bet_files["image"])
    brain = load_mask(bet_files["brain"], image)
    assert image.array.shape == template.t1w.array.shape
    assert image.array.dtype == np.float32
    assert not image.array[brain.array == 0].any()


def test_the_lesion_travels_to_its_place(bet_files: dict) -> None:
    lesion = load_mask(bet_files["lesion"])
    centre = lesion.affine @ [*np.argwhere(lesion.array).mean(axis=0), 1]
    np.testing.assert_allclose(centre[:3], [-26, -20, 25], atol=5)
    # The pose shrinks the brain; the template's is larger.
    assert float(bet_files["measures"]["lesion_ml"]) > float(bet_files["measures"]["lesion_native_ml"])


def test_given_mask_is_used_as_it_is(head: SyntheticHead, tmp_path: Path) -> None:
    brain = written(tmp_path / "brain.nii.gz", head.image.with_array(head.brain.astype(np.uint8)))
    known = row("sub-01", written(tmp_path / "t1.nii.gz", head.image), brain_mask=str(brain))
    files = naming.derivatives(tmp_path, known)
    measures = subject.preprocess(known, files, {**QUICK, "skull_strip": "given"})
    assert float(measures["brain_volume_ml"]) == pytest.approx(head.brain.sum() * 0.064, abs=0.1)
    assert "reference_dice" not in measures


def test_given_without_a_mask_says_what_to_do(head: SyntheticHead, tmp_path: Path) -> None:
    known = row("sub-01", written(tmp_path / "t1.nii.gz", head.image))
    with pytest.raises(SubjectError, match=r"t1\.nii\.gz: skull_strip is given, but the image has no brain mask"):
        subject.load(known, "given")


def test_a_bad_reference_mask_is_only_noted(head: SyntheticHead, tmp_path: Path) -> None:
    mask = written(tmp_path / "b.nii.gz", head.image.with_array(np.zeros(head.brain.shape, dtype=np.uint8)))
    loaded = subject.load(row("sub-01", written(tmp_path / "t1.nii.gz", head.image), brain_mask=str(mask)), "template")
    assert loaded.given is None and "b.nii.gz" in loaded.notes[0]


def truncated(path: Path, head: SyntheticHead) -> None:
    written(path, head.image)
    path.write_bytes(path.read_bytes()[:5000])


def with_nan(path: Path, head: SyntheticHead) -> None:
    array = head.image.array.copy()
    array[5, 5, 5] = np.nan
    written(path, head.image.with_array(array))


def four_dimensional(path: Path, head: SyntheticHead) -> None:
    nib.save(nib.Nifti1Image(np.stack([head.image.array] * 2, axis=-1), head.image.affine), path)


def singular(path: Path, head: SyntheticHead) -> None:
    image = nib.Nifti1Image(head.image.array, None)
    image.header["sform_code"] = 1
    image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = (4, 0, 0, 0), (4, 0, 0, 0), (0, 0, 4, 0)
    nib.save(image, path)


def zeros(path: Path, head: SyntheticHead) -> None:
    written(path, head.image.with_array(head.image.array * 0))


def tiny(path: Path, head: SyntheticHead) -> None:
    nib.save(nib.Nifti1Image(head.image.array[20:28, 20:28, 30:38], head.image.affine), path)


@pytest.mark.parametrize("break_it", [truncated, with_nan, four_dimensional, singular, zeros, tiny], ids=lambda f: f.__name__)
def test_a_bad_image_is_named(head: SyntheticHead, tmp_path: Path, break_it: object) -> None:
    break_it(tmp_path / "bad.nii.gz", head)
    with pytest.raises(SubjectError, match=r"bad\.nii\.gz"):
        subject.load(row("sub-01", tmp_path / "bad.nii.gz"), "template")


@pytest.mark.parametrize(("array", "words"), [(np.zeros((52, 60, 66)), "is empty"), (np.ones((9, 9, 9)), "not on the grid")])
def test_a_bad_lesion_mask_is_named(head: SyntheticHead, tmp_path: Path, array: np.ndarray, words: str) -> None:
    mask = tmp_path / "lesion.nii.gz"
    nib.save(nib.Nifti1Image(array.astype(np.uint8), head.image.affine), mask)
    known = row("sub-01", written(tmp_path / "t1.nii.gz", head.image), lesion_mask=str(mask))
    with pytest.raises(SubjectError, match=rf"lesion\.nii\.gz: the lesion mask .*{words}"):
        subject.load(known, "template")


def test_noise_holds_no_brain(head: SyntheticHead, tmp_path: Path) -> None:
    stripped = head.image.with_array(np.zeros(head.brain.shape, dtype=np.float32))
    stripped.array[20:24, 20:24, 20:24] = 5
    known: Row = row("sub-01", written(tmp_path / "t1.nii.gz", stripped))
    with pytest.raises(SubjectError, match="no brain was found"):
        subject.preprocess(known, naming.derivatives(tmp_path, known), QUICK)


def test_real_heads_reach_the_reference_masks(real_data: Path, tmp_path: Path) -> None:
    name = "sub-IXI253"
    image = real_data / "ixi-hh" / name / "anat" / f"{name}_T1w.nii.gz"
    mask = next((real_data / "ixi-hh" / "derivatives" / "brainmask" / name / "anat").glob("*mask.nii.gz"))
    known = row("sub-01", image, brain_mask=str(mask))
    files = naming.derivatives(tmp_path, known)
    files["image"].parent.mkdir()
    assert float(subject.preprocess(known, files, {**OPTIONS, "spacing_mm": 3.0})["reference_dice"]) > 0.94
