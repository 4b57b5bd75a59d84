"""Models that come with madad: small, explained, found by name, and applied to raw heads of another scanner."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.cli import main as cli
from madad.core.errors import UserError
from madad.core.io import model_archive
from madad.core.io.manifest import read_table
from madad.detection import bundled_models, model_building

LARGEST = 3_000_000
FOR_SCANS = "For scans there is atlas_z_ixi_T1w or mddpm_ixi_T1w or mhd_on_ddpm_ixi_T1w; to make one, .*madad model export"


@pytest.mark.parametrize("path", bundled_models.paths(), ids=lambda path: path.stem)
def test_a_model_is_small_licensed_and_names_no_place_of_its_making(path: Path) -> None:
    about = model_archive.read_about(path)
    assert path.stat().st_size <= LARGEST and about["threshold"] and about["licence"].startswith("CC")
    assert not [value for value in about["grid"].values() if isinstance(value, str) and value.startswith("/")]
    assert model_building.build(path)[1]["name"] == about["name"] == path.stem.rpartition("_ixi")[0]


def test_a_model_has_a_name(tmp_path: Path) -> None:
    known = bundled_models.paths()[0]
    assert bundled_models.find(known.stem) == bundled_models.find("atlas_z") == known
    assert bundled_models.find(tmp_path / "mine.zip") == tmp_path / "mine.zip"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dae", f"weights to start a training from.*{FOR_SCANS}"),
        ("dae_soop_FLAIR", f"weights to start a training from.*{FOR_SCANS}"),
        ("atlas", "no model of this name.*atlas_z_ixi_T1w"),
    ],
)
def test_a_name_of_no_model_for_scans_is_explained(name: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        bundled_models.find(name)


@pytest.mark.slow
def test_raw_heads_of_a_patient_are_predicted(real_data: Path, tmp_path: Path) -> None:
    """Two time points: the T1w images are taken of six raw heads, each in a space of its own."""
    root = real_data / "mslub-raw"
    assert cli.main([str(root), str(tmp_path), "participant", "--model", "atlas_z", "--device", "cpu"]) == 0
    rows = read_table(tmp_path / "predictions.tsv")
    assert [(row["scan"], row["status"]) for row in rows] == [("sub-01_ses-1", "ok"), ("sub-01_ses-2", "ok")]
    for session in ("ses-1", "ses-2"):
        stem = f"sub-01/{session}/anat/sub-01_{session}"
        scan, found = (
            nib.load(root / f"{stem}_T1w.nii.gz"),
            nib.load(tmp_path / f"{stem}_space-T1w_desc-atlasz_anomalymap.nii.gz"),
        )
        assert found.shape == scan.shape and np.allclose(found.affine, scan.affine, atol=1e-4)
        told = json.loads((tmp_path / f"{stem}_desc-atlasz_scores.json").read_text())
        assert told["scores"]["p99"] > 0 and 900 < float(told["measures"]["brain_volume_ml"]) < 2200


@pytest.mark.slow
@pytest.mark.parametrize("sequence", ["FLAIR", "T2w"])
def test_raw_heads_of_another_sequence_are_refused(
    sequence: str, real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = [str(path) for path in sorted((real_data / "mslub-raw").glob(f"sub-01/ses-*/anat/*_{sequence}.nii.gz"))]
    assert len(scans) == 2 and cli.main(["predict", *scans, "--model", "atlas_z", "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.count(f"is {sequence}, the model was trained on T1w") == 2
