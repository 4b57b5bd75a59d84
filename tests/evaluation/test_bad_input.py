"""Whatever is wrong with maps and packs: a table that says so, or an error that names the file. Never a crash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack, Prediction, write_maps, write_pack
from madad.evaluation.protocol.inputs import Source
from madad.evaluation.results.protocol_table import chosen
from tests.evaluation.cases import AFFINE, BRAIN, FULL, IDENTITY, OPTIONS, SHAPE, Case, predicted

CHOSEN = [protocol.name for protocol in chosen()]

HEALTHY_PROTOCOLS = {"healthy_fpr_1", "healthy_fpr_5", "conformal_fpr_1", "one_fp_per_scan"}


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def whole(rows: list[dict[str, str]]) -> dict[tuple[str, str], float]:
    """Numbers of the whole test set by (protocol, metric)."""
    return {(row["protocol"], row["metric"]): float(row["value"]) for row in rows if not row["sample"]}


def by_protocol(rows: list[dict[str, str]], metric: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["metric"] == metric and row["sample"]:
            found.setdefault(row["protocol"], []).append(float(row["value"]))
    return found


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_map_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    case = Case(tmp_path, {"test": ["patient"]})
    scores = np.zeros(SHAPE, dtype=np.float16)
    scores[0, 0, 0] = value  # outside the brain, where nobody would look
    case.write_maps(lambda sample: scores)
    if np.isnan(value):
        with pytest.raises(UserError, match=r"maps\.h5: the map of sub-0 holds NaN"):
            case.rows()
    else:  # stored as the largest number there is
        assert case.rows()


@pytest.mark.parametrize("workers", [1, 2])
def test_map_of_another_shape_is_refused(tmp_path: Path, workers: int) -> None:
    case = Case(tmp_path, {"test": ["patient"]})
    case.write_maps(lambda sample: np.zeros((2, 3, 4)))
    with pytest.raises(UserError, match=r"maps\.h5: the map of sub-0 has shape \(2, 3, 4\)"):
        case.rows(workers=workers)


def test_reconstruction_of_another_shape_is_refused(tmp_path: Path) -> None:
    case = Case(tmp_path, {"test": ["patient"]})
    write_maps(case.maps, iter([Prediction("sub-0", "test", np.zeros(SHAPE), np.zeros((2, 3, 4)), 1.0, 1.0)]), IDENTITY)
    with pytest.raises(UserError, match=r"maps\.h5: the reconstruction of sub-0 has shape \(2, 3, 4\)"):
        case.rows()


def test_missing_map_is_refused(tmp_path: Path) -> None:
    case = Case(tmp_path, {"test": ["patient", "healthy"]})
    write_maps(case.maps, iter([predicted(case.samples["test"][0], "test")]), IDENTITY)
    with pytest.raises(UserError, match="no map of sub-1"):
        case.rows()


@pytest.mark.parametrize("key", ["cohort", "modality", "testset", "method", "seed"])
def test_maps_of_another_run_are_refused(tmp_path: Path, key: str) -> None:
    case = Case(tmp_path, FULL)
    case.write_maps(lambda sample: np.zeros(SHAPE), {**IDENTITY, key: "other"})
    with pytest.raises(UserError, match=rf"maps\.h5: holds the maps of {key} other, not of {IDENTITY[key]}"):
        case.rows()


def test_maps_of_other_images_are_refused(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    with Pack(case.packs[1]) as pack:
        right = {**IDENTITY, "content_test": pack.content}
    case.write_maps(lambda sample: np.zeros(SHAPE), right)
    assert case.rows()
    case.write_maps(lambda sample: np.zeros(SHAPE), {**right, "content_test": "0123"})
    with pytest.raises(UserError, match=r"maps\.h5: was made from another version of .*test\.h5"):
        case.rows()


def test_packs_on_two_grids_are_refused(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    moved = AFFINE.copy()
    moved[0, 3] = 0.1
    write_pack(case.packs[1], iter(case.samples["test"]), affine=moved, modality="T1w", cohort="toy", split="test")
    with pytest.raises(UserError, match=r"test\.h5: not on the grid of .*validation\.h5"):
        case.rows()


def test_test_set_without_lesions_says_so(tmp_path: Path, capsys) -> None:
    rows = Case(tmp_path, {"validation": ["healthy"], "test": ["healthy", "healthy"]}).rows()
    values = whole(rows)
    lost = {key for key in values if key[0] in ("pooled", "oracle_slice", "oracle_test", "pooled_best") or "froc" in key[0]}
    reasons = {key: values[key] for key in lost if key[1] == "no_value"}
    assert reasons == dict.fromkeys([(name, "no_value") for name in ("oracle_test", "pooled", "pooled_best")], 1)
    assert len(lost) > 40 and all(np.isnan(values[key]) for key in lost - set(reasons))
    assert np.isfinite(by_protocol(rows, "false_positive_components")["healthy_fpr_1"]).all()
    assert "oracle_test: no threshold, because no test subject has a marked lesion" in capsys.readouterr().err


@pytest.mark.parametrize("group", ["patient", "healthy"])
def test_one_subject_is_enough_for_a_table(tmp_path: Path, group: str) -> None:
    values = whole(Case(tmp_path, {"test": [group]}).rows())
    assert np.isnan(values["mean", "subject_auroc"]) and np.isnan(values["pooled", "auprc_low"])
    assert np.isfinite(values["pooled", "auprc"]) == (group == "patient")


def test_no_subject_at_all(tmp_path: Path) -> None:
    rows = Case(tmp_path, {"validation": [], "test": []}).rows()
    assert rows and not any(row["sample"] for row in rows)
    # that no subjects had to share is a fact and no measurement
    assert all(row["value"] == "nan" for row in rows if row["metric"] not in ("no_value", "shared_validation"))
    assert {row["value"] for row in rows if row["metric"] == "no_value"} == {"1", "2", "3", "4"}


def test_nobody_healthy(tmp_path: Path, capsys) -> None:
    case = Case(tmp_path, {"validation": ["patient"], "test": ["patient", "patient"]})
    dices = by_protocol(case.rows(), "hd95")
    assert {protocol for protocol in CHOSEN if np.isnan(dices[protocol]).all()} == HEALTHY_PROTOCOLS
    told = capsys.readouterr().err
    assert all(f"{protocol}: no threshold, because" in told for protocol in HEALTHY_PROTOCOLS)
    assert np.load(tmp_path / "mean_maps.npz")["number"] == 0


@pytest.mark.parametrize("group", ["patient", "healthy"])
def test_empty_brain_is_nan_and_said(tmp_path: Path, capsys, group: str) -> None:
    case = Case(tmp_path, {"validation": ["healthy", "patient"], "test": ["healthy", "patient", group]})
    for split in ("validation", "test"):
        case.samples[split][-1] = replace(case.samples[split][-1], brain=np.zeros_like(BRAIN))
    case.write_packs()
    every = case.rows({**OPTIONS, "published": "behrendt"})
    rows = [row for row in every if row["sample"] == "sub-2"]
    known = {"brain_ml", "lesion_ml", "seconds", "peak_memory_mb"}
    # the paper's own protocol looks at the whole volume
    told = {row["metric"]: row["value"] for row in rows if row["value"] != "nan" and row["protocol"] != "published"}
    assert set(told) == known and len(rows) > 30
    assert "sub-2: its brain mask is empty" in capsys.readouterr().err
    # without the sample subjects are told apart as well as with it
    without = Case(folder(tmp_path / "without"), {"validation": ["healthy"], "test": ["healthy", "patient"]}).rows()
    assert whole(every)["mean", "subject_auroc"] == whole(without)["mean", "subject_auroc"]
    assert whole(every)["max", "subject_ap"] == whole(without)["max", "subject_ap"]


def test_reconstruction_with_nan_is_nan_and_said(tmp_path: Path, capsys) -> None:
    case = Case(tmp_path, {"test": ["healthy", "patient"]})
    broken = np.full(SHAPE, np.nan)
    write_maps(case.maps, (replace(predicted(s, "test"), reconstruction=broken) for s in case.samples["test"]), IDENTITY)
    rows = case.rows()
    lost = [row["value"] for row in rows if row["protocol"] in ("healthy_brain", "reconstruction")]
    assert set(lost) == {"nan"} and len(lost) == 5
    assert "sub-0: its reconstruction holds NaN" in capsys.readouterr().err
    assert "residual" not in np.load(tmp_path / "mean_maps.npz")


def test_file_that_is_no_map_is_named(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    case.maps.write_bytes(b"not HDF5")
    with pytest.raises(UserError, match=r"maps\.h5: not a readable HDF5 file"):
        case.rows()
    case.maps.unlink()
    with pytest.raises(UserError, match=r"maps\.h5: no such file"):
        case.rows()


def test_calibration_of_another_method_is_refused(tmp_path: Path) -> None:
    case = Case(tmp_path, {"test": FULL["test"]})
    (tmp_path / "lent").mkdir()
    lent = Case(tmp_path / "lent", {"validation": ["healthy"]})
    lent.write_maps(lambda sample: np.zeros(SHAPE), {**IDENTITY, "method": "other"})
    with pytest.raises(UserError, match=r"lent/maps\.h5: holds the maps of method other"):
        case.rows(calibration=Source(lent.maps, lent.packs[0]))
