"""A model applied to a scan in a space of its own: what it finds lies where it is, on the grid of the scan."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import SubjectError
from madad.detection.detector import Detector, cleaned
from madad.detection.result import Result
from tests.detection import scans


def test_everything_lies_on_the_grid_of_the_scan(result: Result, scan: Path) -> None:
    given = nib.load(scan)
    for image in (result.map, result.mask, result.reconstruction, result.native.brain, result.native.image):
        assert image.shape == given.shape and np.allclose(image.affine, given.affine)


def test_the_lesion_is_found_where_it_is(result: Result) -> None:
    found, ball = np.asarray(result.mask.dataobj) > 0, scans.ball()
    brain = np.asarray(result.native.brain.dataobj) > 0
    anomaly_map = np.asarray(result.map.dataobj)
    assert (found & ball).sum() > 0.7 * ball.sum()
    assert anomaly_map[ball].mean() > 5 * anomaly_map[brain & ~ball].mean()
    largest = result.findings[0]
    centre = scans.MOVED @ [*scans.CENTRE, 1]
    assert np.linalg.norm(np.array(largest["centre_mm"]) - centre[:3]) < 8
    assert largest["volume_ml"] == pytest.approx(4 / 3 * np.pi * scans.RADIUS_MM**3 / 1000, rel=0.4)


def test_the_reconstruction_is_healthy(result: Result) -> None:
    ball = scans.ball()
    assert np.asarray(result.reconstruction.dataobj)[ball].mean() > 3 * np.asarray(result.native.image.dataobj)[ball].mean()


def test_scores_come_with_the_threshold_and_its_protocol(result: Result) -> None:
    assert result.threshold["protocol"] == "validation" and result.threshold["value"] == 6.0
    assert {"mean", "p99", "max", "top100", "volume_ml", "components"} <= result.scores.keys()
    assert result.scores["components"] == len(result.findings) and result.scores["max"] > 6


def test_the_same_image_in_memory_gives_the_same_map(detector: Detector, result: Result, scan: Path) -> None:
    again = detector(nib.load(scan))
    assert np.allclose(np.asarray(again.map.dataobj), np.asarray(result.map.dataobj), atol=1e-4)


def test_another_sequence_is_refused_or_flagged(
    detector: Detector, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SubjectError, match="is FLAIR, the model was trained on T1w"):
        detector(scan, modality="FLAIR")
    other = scans.write(tmp_path / "other.nii.gz", lesion=False, inverted=True)
    forced = detector(other, force=True)
    assert "another sequence" in " ".join(forced.flags)
    monkeypatch.setattr("madad.detection.detector.prepare", lambda *_, **__: forced.prepared)
    with pytest.raises(SubjectError, match=r"other.nii.gz: is outside what the model has seen: it looks like another sequence"):
        detector(other)


def test_a_scan_that_is_no_head_is_refused_by_name(detector: Detector, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((40, 40, 40)).astype(np.float32)
    nib.save(nib.Nifti1Image(noise, np.diag([1.0, 1, 1, 1])), tmp_path / "small.nii.gz")
    with pytest.raises(SubjectError, match=r"small.nii.gz: the field of view is 40 x 40 x 40 mm"):
        detector(tmp_path / "small.nii.gz")


def test_a_median_sees_the_brain_alone() -> None:
    brain = np.zeros((6, 12, 12), dtype=bool)
    brain[1:5, 2:10, 2:10] = True
    spot = np.where(brain, 0.7, 0).astype(np.float32)
    spot[3, 5, 5] = 9
    scored, inside = cleaned(spot, brain, {"erosion": 1, "median": 3})
    assert inside.sum() < brain.sum() and np.allclose(scored[inside], 0.7) and not scored[~inside].any()
    plain, inside = cleaned(spot, brain, {"erosion": 0, "median": 0})
    assert np.array_equal(plain, spot) and np.array_equal(inside, brain)
