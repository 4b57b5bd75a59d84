"""Whole ways of one synthetic head, with the errors that files can bring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from madad.core.io.manifest import Row
from madad.core.io.volumes import load_image, load_mask
from madad.data.preprocessing import derivative_names, session
from madad.data.template import template_on_grid
from tests.data.preprocessing.conftest import OPTIONS, QUICK, SyntheticHead, row, written


def done(known: Row, folder: Path, options: dict) -> Row:
    """Measures of one image, preprocessed alone."""
    files = derivative_names.derivatives(folder, known)
    files["image"].parent.mkdir(exist_ok=True)
    (result,) = session.preprocess([known], {known["modality"]: files}, options)
    return result


@pytest.fixture(scope="module")
def template_files(head: SyntheticHead, lesion: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
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
    return {**derivative_names.derivatives(folder, known), "measures": done(known, folder, OPTIONS)}


def test_a_head_is_stripped_and_registered(template_files: dict) -> None:
    measures = template_files["measures"]
    assert float(measures["reference_dice"]) > 0.93
    assert measures["aligned_to"] == "" and "alignment_nmi" not in measures
    assert float(measures["template_dice"]) > 0.9
    assert measures["warning"] == ""


def test_results_lie_on_the_grid_of_the_template(template_files: dict) -> None:
    template = template_on_grid(4.0)
    image = load_image(template_files["image"])
    brain = load_mask(template_files["brain"], image)
    assert image.array.shape == template.t1w.array.shape
    assert image.array.dtype == np.float32
    assert not image.array[brain.array == 0].any()


def test_the_lesion_travels_to_its_place(template_files: dict) -> None:
    lesion = load_mask(template_files["lesion"])
    centre = lesion.affine @ [*np.argwhere(lesion.array).mean(axis=0), 1]
    np.testing.assert_allclose(centre[:3], [-26, -20, 25], atol=5)
    # The pose shrinks the brain; the template's is larger.
    measures = template_files["measures"]
    assert float(measures["lesion_ml"]) > float(measures["lesion_native_ml"])
    assert float(measures["lesion_ml"]) == pytest.approx(float(measures["lesion_expected_ml"]), rel=0.02)


def test_given_mask_is_used_as_it_is(head: SyntheticHead, tmp_path: Path) -> None:
    brain = written(tmp_path / "brain.nii.gz", head.image.with_array(head.brain.astype(np.uint8)))
    known = row("sub-01", written(tmp_path / "t1.nii.gz", head.image), brain_mask=str(brain))
    measures = done(known, tmp_path, {**QUICK, "skull_strip": "given"})
    assert float(measures["brain_volume_ml"]) == pytest.approx(head.brain.sum() * 0.064, abs=0.1)
    assert "reference_dice" not in measures


def test_given_without_a_mask_says_what_to_do(head: SyntheticHead, tmp_path: Path) -> None:
    known = row("sub-01", written(tmp_path / "t1.nii.gz", head.image))
    result = done(known, tmp_path, {**QUICK, "skull_strip": "given"})
    assert result["status"] == "failed"
    assert "t1.nii.gz: skull_strip is given, but the image has no brain mask" in result["reason"]


def test_noise_holds_no_brain(head: SyntheticHead, tmp_path: Path) -> None:
    stripped = head.image.with_array(np.zeros(head.brain.shape, dtype=np.float32))
    stripped.array[20:32, 20:32, 20:32] = 5
    assert "no brain was found" in done(row("sub-01", written(tmp_path / "t1.nii.gz", stripped)), tmp_path, QUICK)["reason"]


def test_real_heads_reach_the_reference_masks(real_data: Path, tmp_path: Path) -> None:
    name = "sub-IXI253"
    image = real_data / "ixi-hh" / name / "anat" / f"{name}_T1w.nii.gz"
    mask = next((real_data / "ixi-hh" / "derivatives" / "brainmask" / name / "anat").glob("*mask.nii.gz"))
    known = row("sub-01", image, brain_mask=str(mask))
    assert float(done(known, tmp_path, {**OPTIONS, "spacing_mm": 3.0})["reference_dice"]) > 0.94


@pytest.mark.parametrize("outside", [-3.6, 0.0])
def test_a_standard_score_is_registered_as_well_as_raw_values(
    head: SyntheticHead, lesion: np.ndarray, tmp_path: Path, outside: float
) -> None:
    raw, brain = head.stripped.array, head.brain
    scores = np.where(brain, np.clip((raw - raw[brain].mean()) / raw[brain].std(), -3.5, 9), outside)
    mask = str(written(tmp_path / "lesion.nii.gz", head.image.with_array(lesion.astype(np.uint8))))
    found = {}
    for name, array in (("sub-raw", raw), ("sub-scores", scores)):
        image = written(tmp_path / f"{name}.nii.gz", head.image.with_array(array.astype(np.float32)))
        options = {**OPTIONS, "skull_strip": "none", "bias_field": "none"}
        found[name] = done(row(name, image, lesion_mask=mask), tmp_path, options)
    for key in ("template_dice", "lesion_expected_ml", "brain_volume_ml"):
        assert float(found["sub-scores"][key]) == pytest.approx(float(found["sub-raw"][key]), rel=0.01)
    assert float(found["sub-scores"]["template_dice"]) > 0.95 and found["sub-scores"]["warning"] == ""
