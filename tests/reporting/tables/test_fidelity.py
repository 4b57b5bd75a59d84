from __future__ import annotations

import csv

import pandas as pd
import pytest

from madad.evaluation.statistics.summary import read_summary, summarise
from madad.reporting.tables.fidelity import RATIO, write_fidelity
from tests.reporting import wide_results


def rows_of(made, folder) -> list[dict[str, str]]:
    write_fidelity(made.summary, made.metrics, {}, folder / "t.csv", folder / "t.tex", folder / "t.html")
    return list(csv.DictReader((folder / "t.csv").open()))


def test_ratio_of_lesion_and_tissue(wide, tmp_path) -> None:
    rows = rows_of(wide, tmp_path)
    assert len(rows) == len(wide.methods) * len(wide.testsets)
    assert {row[RATIO] for row in rows} == {"1.50"}  # five subjects, which all agree
    assert [row["Method"] for row in rows[: len(wide.methods)]] == list(wide.methods)


def test_ratio_is_of_means_over_subjects_and_lies_in_its_interval(tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("ddpm",), testsets=("own",), seeds=("0", "1"), subjects=9)
    table = pd.read_csv(made.metrics, keep_default_na=False)
    chosen = table["metric"] == "l1_lesion"
    table.loc[chosen, "value"] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.1, 0.2, 0.4, 0.5] * 2
    table.to_csv(made.metrics, index=False)
    value, bounds = rows_of(made, tmp_path)[0][RATIO].split(" [")
    low, high = map(float, bounds.rstrip("]").split(", "))
    assert float(value) == pytest.approx(0.3 / 0.2)
    assert low < 1.5 < high


def test_samples_of_a_subject_count_once(tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("ddpm",), testsets=("own",), seeds=("0",), subjects=2)
    table = pd.read_csv(made.metrics, keep_default_na=False)
    extra = table[(table["protocol"] == "reconstruction") & (table["subject"] == "p0")].assign(sample="p0_second")
    table = pd.concat([table, extra])
    table.loc[(table["metric"] == "l1_lesion") & (table["subject"] == "p0"), "value"] = 0.9
    table.to_csv(made.metrics, index=False)
    assert rows_of(made, tmp_path)[0][RATIO].startswith("3.00")  # (0.9 + 0.3) / (0.2 + 0.2)


def test_methods_without_reconstructions_are_named(toy, tmp_path) -> None:
    rows = rows_of(toy, tmp_path)
    assert {row["Method"] for row in rows} == {"ddpm"}
    assert "Without reconstructions: intensity." in (tmp_path / "t.html").read_text()


def test_healthy_fidelity_has_an_interval(toy, tmp_path) -> None:
    assert "[" not in rows_of(toy, tmp_path)[0]["Healthy l1"]  # four subjects
    summary = read_summary(toy.summary)
    healthy = summary["measure"].isin(["l1", "psnr", "ssim"])
    summary.loc[healthy, "low"], summary.loc[healthy, "high"] = 0.9 * summary["value"], 1.1 * summary["value"]
    summary.to_csv(tmp_path / "s.csv", index=False)
    row = rows_of(wide_results.SimpleNamespace(metrics=toy.metrics, summary=tmp_path / "s.csv"), tmp_path)[0]
    assert "[" in row["Healthy l1"] and "[" in row["Healthy PSNR (dB)"] and "[" in row["Healthy SSIM"]


def test_no_evaluation_gives_an_empty_table(toy, tmp_path) -> None:
    (tmp_path / "m.csv").write_text(toy.metrics.read_text().splitlines()[0] + "\n")
    (tmp_path / "s.csv").write_text(toy.summary.read_text().splitlines()[0] + "\n")
    assert rows_of(wide_results.SimpleNamespace(metrics=tmp_path / "m.csv", summary=tmp_path / "s.csv"), tmp_path) == []


def test_share_that_a_method_flags_stands_beside_its_errors(wide, tmp_path) -> None:
    table = pd.read_csv(wide.metrics, keep_default_na=False)
    seconds = table[(table["protocol"] == "inference") & (table["metric"] == "seconds") & (table["method"] == wide.methods[0])]
    shares = [
        seconds[(seconds["group"] == "healthy") == healthy].assign(
            protocol=f"flagged_{name}", metric="flagged_share", value=share
        )
        for name, healthy, share in (("healthy", True, 0.01), ("patients", False, 0.02))
    ]
    assert all(len(share) for share in shares)
    pd.concat([table, *shares]).to_csv(tmp_path / "m.csv", index=False)
    summarise(tmp_path / "m.csv", tmp_path / "s.csv")
    first, second, *_ = rows_of(wide_results.SimpleNamespace(metrics=tmp_path / "m.csv", summary=tmp_path / "s.csv"), tmp_path)
    assert (first["Flagged share, healthy scans"], second["Flagged share, healthy scans"]) == ("0.010", "–")
    assert first["Flagged share, scans of patients"].startswith("0.020")
    rows_of(wide, tmp_path)
    assert "lagged" not in (tmp_path / "t.html").read_text()
