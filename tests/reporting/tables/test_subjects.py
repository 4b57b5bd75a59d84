from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest

from madad.reporting.tables.subjects import write_subjects
from tests.reporting import wide_results


def rows_of(made, folder) -> list[dict[str, str]]:
    write_subjects(made.metrics, {}, folder / "t.csv", folder / "t.tex", folder / "t.html")
    return list(csv.DictReader((folder / "t.csv").open()))


def changed(made, folder, rows, value) -> None:
    table = pd.read_csv(made.metrics, keep_default_na=False)
    table.loc[rows(table), "value"] = value
    table.to_csv(made.metrics, index=False, na_rep="nan")


def test_table_has_a_group_a_test_set_and_score(wide, tmp_path) -> None:
    rows = rows_of(wide, tmp_path)
    groups = list(dict.fromkeys(row["Test set and score"] for row in rows))
    assert groups[:2] == [
        "own, T1w: mean of the brain (5 healthy, 5 samples with a lesion)",
        "own, T1w: 99th percentile of the brain (5 healthy, 5 samples with a lesion)",
    ]
    assert len(groups) == 3 * len(wide.testsets)
    assert [row["Method"] for row in rows[: len(wide.methods)]] == list(wide.methods)


def test_values_are_means_over_seeds(wide, tmp_path) -> None:
    row = next(row for row in rows_of(wide, tmp_path) if row["Method"] == "method_03")
    table = pd.read_csv(wide.metrics, keep_default_na=False).query(
        "method == 'method_03' and testset == 'own' and protocol == 'mean'"
    )
    wanted = {metric: own["value"].astype(float).mean() for metric, own in table.groupby("metric")}
    value, bounds = row["AUROC ↑"].split(" [")
    assert float(value) == pytest.approx(wanted["subject_auroc"], abs=5e-4)
    ends = [float(bound) for bound in bounds.rstrip("]").split(", ")]
    assert ends[0] < wanted["subject_auroc"] < ends[1]
    means = [wanted["subject_auroc_low"], wanted["subject_auroc_high"]]
    assert ends == pytest.approx(means, abs=0.05)  # those over seeds and subjects, laid on a logit scale
    assert (row["AP ↑"], row["Sensitivity at 90 % ↑"], row["Sensitivity at 95 % ↑"]) == ("0.700", "0.400", "0.200")


def test_test_set_without_healthy_subjects_is_a_note(tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("ddpm",), testsets=("own", "tumours"), seeds=("0",))
    table = pd.read_csv(made.metrics, keep_default_na=False)
    foreign = table["testset"] == "tumours"
    table.loc[foreign & table["metric"].str.startswith("subject_") & (table["metric"] != "subject_score"), "value"] = float("nan")
    table = table[~(foreign & (table["group"] == "healthy"))]
    table.to_csv(made.metrics, index=False, na_rep="nan")
    assert {row["Test set and score"].split(",")[0] for row in rows_of(made, tmp_path)} == {"own"}
    assert "own → tumours, T1w: 0 healthy, 5 samples with a lesion; nothing to tell apart." in (tmp_path / "t.html").read_text()


def test_no_evaluation_gives_an_empty_table(tmp_path) -> None:
    (tmp_path / "m.csv").write_text(",".join(wide_results.COLUMNS) + "\n")
    made = wide_results.SimpleNamespace(metrics=tmp_path / "m.csv")
    assert rows_of(made, tmp_path) == []
    assert np.char.find((tmp_path / "t.html").read_text(), "AUROC") > 0


def test_unknown_groups_and_missing_masks_are_counted(tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("ddpm",), testsets=("own",), seeds=("0",))
    table = pd.read_csv(made.metrics, keep_default_na=False)
    ill = sorted(set(table.loc[(table["group"] == "patient"), "sample"]))
    table.loc[table["sample"] == ill[0], "group"] = "unknown"
    count = table[table["sample"] == ""].iloc[:1].assign(protocol="volumes", metric="unmarked", value=3)
    pd.concat([table, count]).to_csv(made.metrics, index=False, na_rep="nan")
    heading = rows_of(made, tmp_path)[0]["Test set and score"]
    people = "5 healthy, 4 samples with a lesion, 2 of them without a reference mask; 1 more of unknown group, not compared"
    assert heading == f"own, T1w: mean of the brain ({people})"
