from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from madad.evaluation.results.collected import collect
from madad.evaluation.statistics.summary import summarise
from madad.reporting.tables.lesions import write_lesions
from tests.reporting import implanted_results


@pytest.fixture(scope="module")
def implanted(tmp_path_factory):
    return implanted_results.build(tmp_path_factory.mktemp("implanted"))


def table(summary: Path, folder: Path) -> tuple[list[dict[str, str]], str]:
    paths = {kind: folder / f"table.{kind}" for kind in ("csv", "tex", "html")}
    write_lesions(summary, {}, **paths)
    return list(csv.DictReader(paths["csv"].open())), paths["html"].read_text()


def test_table_shows_what_the_summary_holds(implanted, tmp_path) -> None:
    rows, page = table(implanted.summary, tmp_path)
    assert [row["Method"] for row in rows] == ["strong", "weak"]
    summary = pd.read_csv(implanted.summary).set_index(["method", "measure"])["value"]
    for row in rows:
        assert float(row["Lesion F1 ↑"].split()[0]) == pytest.approx(summary[row["Method"], "lesion_f1"], abs=1e-3)
        assert float(row["HD95 (mm) ↓"].split()[0]) == pytest.approx(summary[row["Method"], "hd95"], abs=0.1)
        assert float(row["FROC at 2 ↑"]) == pytest.approx(summary[row["Method"], "froc_2"], abs=1e-3)
    assert "26-connected" in page


def test_penalties_of_hd95_are_counted(tmp_path) -> None:
    made = implanted_results.build(tmp_path)
    summary = pd.read_csv(made.summary)
    line = summary[(summary["measure"] == "hd95") & (summary["method"] == "weak")].assign(
        measure="hd95_penalty", value=0.25, subjects=12
    )
    pd.concat([summary, line]).to_csv(made.summary, index=False)
    rows, page = table(made.summary, tmp_path)
    assert [row["HD95, penalties"] for row in rows] == ["–", "3 of 12"]
    assert "diagonal of the brain" in page


def test_nobody_wins_by_what_a_full_prediction_wins(implanted, tmp_path) -> None:
    summary = pd.read_csv(implanted.summary)
    halves = summary["measure"].isin(["lesion_sensitivity", "lesion_sensitivity_iou", "lesion_precision", "false_positives"])
    assert halves.sum() == 8
    assert not summary.loc[halves, "best"].any()


def test_missing_threshold_is_said(tmp_path) -> None:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        lost = (rows["method"] == "weak") & (rows["protocol"] == "validation")
        return rows.assign(value=rows["value"].mask(lost))

    rows, page = table(implanted_results.build(tmp_path, change=change).summary, tmp_path)
    assert next(row for row in rows if row["Method"] == "weak")["Lesion F1 ↑"] == "–"
    assert "samples without a value: weak 48" in page


def test_convention_for_empty_masks_is_named_and_missing_distances_are_counted(tmp_path) -> None:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        lost = (rows["method"] == "weak") & (rows["protocol"] == "validation") & (rows["metric"] == "hd95")
        return rows.assign(value=rows["value"].mask(lost))

    summary = implanted_results.build(tmp_path, change=change).summary
    for name in ("madad", "metrics_reloaded", "panoptica_isles"):
        paths = {kind: tmp_path / f"{name}.{kind}" for kind in ("csv", "tex", "html")}
        write_lesions(summary, {}, **paths, empty=name)
        page = paths["html"].read_text()
        assert f"(evaluation.empty_masks: {name})" in page
        assert ("samples without a value: weak" in page) == (name == "metrics_reloaded")


def test_no_lesion_gives_an_empty_table(tmp_path) -> None:
    collect([], tmp_path / "m.csv")
    summarise(tmp_path / "m.csv", tmp_path / "s.csv")
    assert table(tmp_path / "s.csv", tmp_path)[0] == []
