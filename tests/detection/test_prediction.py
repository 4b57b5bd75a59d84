"""`madad predict`: a BIDS data set of derivatives on the grids of the scans, and bad scans refused by name."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from madad.cli import main as cli
from madad.core.errors import UserError
from madad.core.io.manifest import read_table
from madad.detection import prediction, scan_finding
from madad.detection.detector import Detector
from madad.detection.result import Result


@pytest.fixture(scope="module")
def written(detector: Detector, result: Result, scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("derivatives")
    known = scan_finding.find([scan], "T1w")[0]
    prediction.write(result, known, out, detector.about)
    return out / "sub-01/anat"


def test_files_have_bids_names_and_lie_on_the_grid_of_the_scan(written: Path, scan: Path, result: Result) -> None:
    grid = nib.load(scan)
    for name in ("atlasz_anomalymap", "atlasz_mask", "atlaszHealthy_T1w", "brain_mask"):
        image = nib.load(written / f"sub-01_space-T1w_desc-{name}.nii.gz")
        assert image.shape == grid.shape and np.allclose(image.affine, grid.affine)
        about = json.loads((written / f"sub-01_space-T1w_desc-{name}.json").read_text())
        assert about["Description"] and about["SpatialReference"] == str(scan)
    mask = nib.load(written / "sub-01_space-T1w_desc-atlasz_mask.nii.gz")
    assert np.array_equal(np.asarray(mask.dataobj), np.asarray(result.mask.dataobj))


def test_the_record_holds_scores_threshold_and_protocol(written: Path) -> None:
    told = json.loads((written / "sub-01_desc-atlasz_scores.json").read_text())
    assert told["threshold"]["protocol"] == "validation" and told["threshold"]["value"] == 6.0
    assert told["scores"]["components"] >= 1 and told["findings"][0]["volume_ml"] > 1
    assert told["model"]["licence"] == "CC0" and "research use only" in told["intended_use"]


def test_the_picture_shows_something(written: Path) -> None:
    with Image.open(written.parent / "figures/sub-01_desc-atlasz_overlay.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[1] > 800 and (pixels.std(axis=2) > 20).mean() > 0.003, "colours of the map and the outline"


def test_the_page_holds_the_scan_and_loads_nothing(written: Path, result: Result) -> None:
    page = (written.parent / "figures/sub-01_desc-atlasz_viewer.html").read_text()
    assert "http" not in page and len(page) < 3_000_000
    shown = json.loads(page.split('id="volumes">', 1)[1].split("</script>")[0])["sets"][0]
    case, method = shown["cases"][0], shown["methods"][0]
    levels = np.frombuffer(zlib.decompress(base64.b64decode(case["maps"][0]["raw"])), dtype=np.uint8)
    assert method["cut"] * method["step"] == pytest.approx(6.0) and levels.size == np.prod(case["shape"])
    assert (levels > method["cut"]).sum() >= result.template.mask.get_fdata().sum() > 0


def test_scans_are_chosen_by_the_entities_of_their_names(tmp_path: Path) -> None:
    for name in ("sub-01_acq-x_T1w", "sub-01_acq-y_T1w"):
        path = tmp_path / "sub-01/anat" / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    wanted = scan_finding.entities_wanted({"T1w": ["acquisition=x"], "FLAIR": []}, "T1w")
    assert [scan.stem for scan in scan_finding.find([tmp_path], "T1w", (), wanted)] == ["sub-01_acq-x"]
    with pytest.raises(UserError, match="_acq-z_T1w"):
        scan_finding.find([tmp_path], "T1w", (), {"acq": "z"})
    with pytest.raises(UserError, match="--filter-T2w: the model reads T1w"):
        scan_finding.entities_wanted({"T2w": ["acq=x"]}, "T1w")
    with pytest.raises(UserError, match="'x' is no entity"):
        scan_finding.entities_wanted({"T1w": ["x"]}, "T1w")


def stand_in(detector: Detector, result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every scan have the result of one, which takes no time."""
    monkeypatch.setattr("madad.detection.detector.load", lambda *_: detector)
    monkeypatch.setattr(Detector, "__call__", lambda self, image, **options: result)


def test_a_bids_data_set_becomes_one_of_derivatives(
    detector: Detector, result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sub-01/anat/sub-01_T1w", "sub-02/ses-a/anat/sub-02_ses-a_acq-x_T1w", "sub-02/ses-a/anat/sub-02_ses-a_T2w"):
        path = tmp_path / "bids" / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    stand_in(detector, result, monkeypatch)
    arguments = ["predict", str(tmp_path / "bids"), "--model", "m.zip", "--out", str(tmp_path / "out")]
    assert cli.main(arguments) == 0
    description = json.loads((tmp_path / "out/dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative" and description["GeneratedBy"][0]["Name"] == "madad"
    assert (tmp_path / "out/sub-02/ses-a/anat/sub-02_ses-a_acq-x_space-T1w_desc-atlasz_anomalymap.nii.gz").is_file()
    assert [row["scan"] for row in read_table(tmp_path / "out/predictions.tsv")] == ["sub-01", "sub-02_ses-a_acq-x"]
    told = json.loads((tmp_path / "out/sub-01/anat/sub-01_desc-atlasz_scores.json").read_text())
    assert told["scan"] == "sub-01/anat/sub-01_T1w.nii.gz"
    assert cli.main([*arguments[:-1], str(tmp_path / "one"), "--participant-label", "sub-02"]) == 0
    assert not (tmp_path / "one/sub-01").exists()


def test_a_bad_scan_stops_no_other_and_is_named(detector: Detector, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).random((40, 40, 40)).astype(np.float32)
    (tmp_path / "in").mkdir()
    nib.save(nib.Nifti1Image(noise, np.eye(4)), tmp_path / "in/small.nii.gz")
    (tmp_path / "in/broken.nii").write_bytes(b"no image")
    with pytest.raises(UserError, match="no scan could be used"):
        prediction.predict(detector, scan_finding.find([tmp_path / "in"], "T1w"), tmp_path / "out")
    rows = {row["scan"]: row for row in read_table(tmp_path / "out/predictions.tsv")}
    assert rows["sub-small"]["status"] == rows["sub-broken"]["status"] == "refused"
    assert "field of view" in rows["sub-small"]["reason"] and "broken.nii" in rows["sub-broken"]["reason"]
    assert capsys.readouterr().err.count("research use only") == 1


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("sub-01_ses-2_acq-hi_T1w.nii.gz", "sub-01_ses-2_acq-hi", "T1w"),
        ("sub-01_ce-gd_T1w.nii", "sub-01_ce-gd", "T1ce"),
        ("sub-01_space-orig_desc-preproc_FLAIR.nii.gz", "sub-01", "FLAIR"),
        ("my scan (2).nii.gz", "sub-myscan2", None),
        ("IXI012-HH-1211-T1.nii.gz", "sub-IXI012HH1211T1", None),
    ],
)
def test_results_are_called_like_the_scan(tmp_path: Path, name: str, stem: str, suffix: str | None) -> None:
    (tmp_path / name).touch()
    found = scan_finding.find([tmp_path / name], "T1w")[0]
    assert (found.stem, scan_finding.suffix_of(found.path)) == (stem, suffix)


def test_inputs_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bids/sub-01/anat").mkdir(parents=True)
    for path, says in (
        (tmp_path / "none", "no such file"),
        (tmp_path / "empty", "holds no NIfTI"),
        (tmp_path / "bids", "no T1w image"),
    ):
        with pytest.raises(UserError, match=says):
            scan_finding.find([path], "T1w")
    with pytest.raises(UserError, match="has no participant 07"):
        scan_finding.find([tmp_path / "bids"], "T1w", ["07"])
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.nii").touch()
    with pytest.raises(UserError, match="would have one name, sub-x"):
        scan_finding.find([tmp_path / "a", tmp_path / "b"], "T1w")
