"""Thresholds that come from elsewhere: from the training cohort's healthy subjects, or from the test set as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from madad.cli.main import main
from madad.core.errors import UserError
from madad.core.io.manifest import read_table
from madad.evaluation.protocol.inputs import Source
from madad.evaluation.protocol.run import evaluate_transferred
from madad.evaluation.results.long_table import read
from madad.evaluation.results.protocol_table import PROTOCOLS
from tests.evaluation.cases import FULL, IDENTITY, OPTIONS, PLAIN, SHAPE, Case

TRANSFERRED = [protocol.name for protocol in PROTOCOLS if protocol.transferred]

HEALTHY = ("healthy_fpr_1", "healthy_fpr_5", "conformal_fpr_1", "one_fp_per_scan")
PATIENTS = {"validation": ["patient"], "test": ["healthy", "patient", "patient"]}


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def thresholds(rows: list[dict[str, str]]) -> dict[str, float]:
    return {row["protocol"]: float(row["value"]) for row in rows if row["metric"] == "threshold"}


@pytest.fixture
def lent(tmp_path: Path) -> Source:
    """Nine healthy subjects and a patient of the training cohort; the patient must not be looked at."""
    case = Case(folder(tmp_path / "lent"), {"validation": ["healthy"] * 9 + ["patient"]})
    for number, sample in enumerate(case.samples["validation"]):
        sample.covariates["subject"] = f"sub-{number}"
    case.write_packs()
    scale = {f"sub-{number}": 1 + number / 10 for number in range(10)}
    noise = np.random.default_rng(7).random(SHAPE)
    case.write_maps(lambda sample: scale[sample.name] * noise, {**IDENTITY, "testset": "another"})
    return Source(case.maps, case.packs[0])


def test_healthy_of_the_training_cohort_lend_their_thresholds(tmp_path: Path, lent: Source, capsys) -> None:
    case = Case(folder(tmp_path / "own"), PATIENTS)
    without, found = thresholds(case.rows(PLAIN)), thresholds(case.rows(PLAIN, calibration=lent))
    assert all(np.isnan(without[name]) and np.isfinite(found[name]) for name in HEALTHY)
    kept = {name: value for name, value in found.items() if name not in HEALTHY}
    assert kept == {name: value for name, value in without.items() if name not in HEALTHY}
    assert f"from 9 scans of {lent.pack}" in capsys.readouterr().err
    # each subject's 1 % quantile grows with its scale; of nine the largest is taken
    assert found["conformal_fpr_1"] > 1.7 and 0.9 < found["healthy_fpr_1"] < 1.8


def test_lent_subjects_get_no_rows(tmp_path: Path, lent: Source) -> None:
    case = Case(folder(tmp_path / "own"), PATIENTS)
    rows = case.rows(PLAIN, calibration=lent)
    assert {row["sample"] for row in rows} == {"", "sub-0", "sub-1", "sub-2"}


def test_healthy_of_the_test_set_come_first(tmp_path: Path, lent: Source) -> None:
    case = Case(folder(tmp_path / "own"), FULL)
    case.rows()
    alone = case.out.read_bytes()
    case.rows(calibration=lent)
    assert case.out.read_bytes() == alone


def test_several_scans_of_a_subject_are_one_subject(tmp_path: Path) -> None:
    """Otherwise nine scans of three people would pass for nine people."""
    case = Case(tmp_path, {"validation": ["healthy"] * 9, "test": FULL["test"]})  # `cases` gives them three names
    assert np.isnan(thresholds(case.rows())["conformal_fpr_1"])


@pytest.mark.parametrize("loud", [2, 9])
def test_the_louder_scan_of_a_subject_counts(tmp_path: Path, loud: int) -> None:
    """Scans 2 and 9 are of one person; of nine people the loudest decides."""
    case = Case(tmp_path, {"validation": ["healthy"] * 10, "test": ["patient"]})
    for number, sample in enumerate(case.samples["validation"]):
        sample.covariates["subject"] = f"sub-{2 if number == 9 else number}"
    case.write_packs()
    noise = np.random.default_rng(7).random(SHAPE)
    case.write_maps(lambda sample: noise * (3 if sample.name == f"sub-{loud}" else 1))
    assert thresholds(case.rows(PLAIN))["conformal_fpr_1"] == pytest.approx(3 * np.quantile(noise, 0.99), rel=0.02)


class Corrupted:
    """A test set as it was, and the same samples as a corrupted test set without validation."""

    def __init__(self, path: Path) -> None:
        self.base = Case(folder(path / "base"), FULL)
        self.rows_base = self.base.rows()
        self.case = Case(folder(path / "corrupted"), {"test": FULL["test"]})

    def rows(self, workers: int = 1) -> list[dict[str, str]]:
        case = self.case
        evaluate_transferred(case.maps, case.packs, OPTIONS, IDENTITY, case.out, base=self.base.out, workers=workers)
        return read(case.out)


def test_same_samples_get_the_same_numbers(tmp_path: Path) -> None:
    corrupted = Corrupted(tmp_path)
    known = {(row["sample"], row["protocol"], row["metric"]): row["value"] for row in corrupted.rows_base}
    rows = corrupted.rows()
    assert all(known[row["sample"], row["protocol"], row["metric"]] == row["value"] for row in rows)
    assert thresholds(rows) == {name: value for name, value in thresholds(corrupted.rows_base).items() if name in TRANSFERRED}


def test_single_lesions_of_the_same_samples_are_the_same(tmp_path: Path) -> None:
    corrupted = Corrupted(tmp_path)
    corrupted.rows()
    alike, expected = (read_table(case.out.with_name("lesions.tsv")) for case in (corrupted.case, corrupted.base))
    assert alike == expected and len(alike) >= 2 and all(row["covered"] and row["contrast"] for row in alike)


def test_only_numbers_of_single_samples_are_written(tmp_path: Path) -> None:
    corrupted = Corrupted(tmp_path)
    rows = corrupted.rows()
    assert {row["metric"] for row in rows if not row["sample"]} == {"threshold"}
    expected = {*TRANSFERRED, "per_subject", "volumes", "inference", "healthy_brain", "reconstruction"}
    assert {row["protocol"] for row in rows} == expected
    assert not {"hd95", "hd95_penalty", "nsd_2mm"} & {row["metric"] for row in rows}
    assert {"dice", "lesion_sensitivity", "false_positive_components", "pauroc_5"} <= {row["metric"] for row in rows}
    assert not (corrupted.case.out.parent / "mean_maps.npz").exists()


def test_number_of_processes_changes_nothing(tmp_path: Path) -> None:
    corrupted = Corrupted(tmp_path)
    corrupted.rows()
    alone = corrupted.case.out.read_bytes()
    corrupted.rows(workers=2)
    assert corrupted.case.out.read_bytes() == alone


def test_threshold_that_the_base_lacks_stays_lacking(tmp_path: Path, capsys) -> None:
    corrupted = Corrupted(tmp_path)
    text = corrupted.base.out.read_text()
    row = next(line for line in text.splitlines() if "\tvalidation\tthreshold\t" in line)
    corrupted.base.out.write_text(text.replace(row, row.rsplit("\t", 1)[0] + "\tnan"))
    rows = corrupted.rows()
    assert {row["value"] for row in rows if row["protocol"] == "validation"} == {"nan"}
    assert "validation: no threshold, because" in capsys.readouterr().err


def test_threshold_below_every_score_takes_every_voxel(tmp_path: Path) -> None:
    corrupted = Corrupted(tmp_path)
    text = corrupted.base.out.read_text()
    row = next(line for line in text.splitlines() if "\toracle_test\tthreshold\t" in line)
    corrupted.base.out.write_text(text.replace(row, row.rsplit("\t", 1)[0] + "\t-inf"))
    rows = [row for row in corrupted.rows() if row["metric"] == "false_positive_rate"]
    assert {row["value"] for row in rows if row["protocol"] == "oracle_test"} == {"1"}


def test_base_of_another_run_is_refused(tmp_path: Path) -> None:
    corrupted = Corrupted(tmp_path)
    corrupted.base.out.write_text(corrupted.base.out.read_text().replace("\tddpm\t", "\tother\t"))
    with pytest.raises(UserError, match=r"metrics\.tsv: the thresholds of method other, not of ddpm"):
        corrupted.rows()


def test_base_without_thresholds_is_refused(tmp_path: Path) -> None:
    corrupted = Corrupted(tmp_path)
    lines = corrupted.base.out.read_text().splitlines(keepends=True)
    corrupted.base.out.write_text("".join(line for line in lines if "\tone_fp_per_scan\tthreshold\t" not in line))
    with pytest.raises(UserError, match=r"metrics\.tsv: has no threshold of one_fp_per_scan"):
        corrupted.rows()


def call(case: Case, *more: str) -> int:
    named = [part for key, value in IDENTITY.items() for part in (f"--{key}", value)]
    files = ["--maps", str(case.maps), "--out", str(case.out), "--packs", *map(str, case.packs)]
    return main(["stage", "evaluate", *named, "--options", json.dumps(OPTIONS), *files, *more])


def test_command_line_takes_what_the_rules_give(tmp_path: Path, lent: Source) -> None:
    case = Case(folder(tmp_path / "own"), PATIENTS)
    # a rule without calibration leaves the values out
    assert call(case, "--calibration-maps", "--calibration-pack", "--workers", "2") == 0
    assert np.isnan(thresholds(read(case.out))["healthy_fpr_1"])
    assert call(case, "--calibration-maps", str(lent.maps), "--calibration-pack", str(lent.pack)) == 0
    assert np.isfinite(thresholds(read(case.out))["healthy_fpr_1"])
    assert call(case, "--calibration-maps", str(lent.maps)) == 1


def test_command_line_transfers_thresholds(tmp_path: Path) -> None:
    corrupted = Corrupted(tmp_path)
    expected = corrupted.rows()
    assert call(corrupted.case, "--thresholds", str(corrupted.base.out)) == 0
    assert read(corrupted.case.out) == expected
