from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from madad.evaluation.results.collected import collect
from madad.evaluation.statistics.summary import summarise
from madad.reporting.layout.table_writer import numbers_beside
from madad.reporting.tables.results import write_cost, write_headline, write_published, write_thresholds
from tests.evaluation.cases import Case

TRACKS = {"ddpm": "healthy", "intensity": "none"}


def paths(folder: Path) -> dict[str, Path]:
    return {kind: folder / f"table.{kind}" for kind in ("csv", "tex", "html")}


def headline(toy, folder: Path, **changed) -> list[dict[str, str]]:
    given = {"summary": toy.summary, "trainings": toy.trainings, "bases": toy.bases, "tracks": TRACKS, **changed}
    write_headline(**given, **paths(folder), fragment=folder / "fragment.html")
    return list(csv.DictReader((folder / "table.csv").open()))


def test_headline_has_a_row_for_every_method_and_test_set(toy, tmp_path) -> None:
    rows = headline(toy, tmp_path)
    assert [(row["Test set"], row["Method"]) for row in rows] == [
        ("phantom, FLAIR (n = 4 with a lesion, 4 healthy)", "intensity"),
        ("phantom, FLAIR (n = 4 with a lesion, 4 healthy)", "ddpm"),
        ("phantom-implanted, FLAIR (n = 4 with a lesion, 4 healthy)", "intensity"),
        ("phantom-implanted, FLAIR (n = 4 with a lesion, 4 healthy)", "ddpm"),
    ]


def test_headline_says_what_training_sees(toy, tmp_path) -> None:
    assert {row["Method"]: row["Track"] for row in headline(toy, tmp_path)} == {"ddpm": "healthy", "intensity": "none"}


def test_method_without_reconstruction_has_no_fidelity(toy, tmp_path) -> None:
    fidelity = {row["Method"]: row["Healthy l1"] for row in headline(toy, tmp_path)}
    assert fidelity["intensity"] == "–"
    assert float(fidelity["ddpm"]) > 0


def test_variant_names_its_base_and_has_a_track_of_its_own(toy, tmp_path) -> None:
    bases, tracks = {"ddpm": "intensity", "intensity": "intensity"}, {**TRACKS, "ddpm": "lesion-masks"}
    rows = headline(toy, tmp_path, bases=bases, tracks=tracks)
    assert ("ddpm (intensity)", "lesion-masks") in {(row["Method"], row["Track"]) for row in rows}


def test_method_without_a_card_is_still_shown(toy, tmp_path) -> None:
    assert headline(toy, tmp_path, bases={"ddpm": "made_elsewhere"}, tracks={})[0]["Track"] == "–"


def started(toy, folder: Path) -> list[Path]:
    """The records of the trainings, in which ddpm starts from a bundled model."""
    start = {"source": "bundled", "file": "ddpm_soop_FLAIR.zip", "date": "2026-11-30", "steps": 1600, "commit": "c0ffee0123"}
    files = []
    for number, path in enumerate(toy.trainings):
        record = json.loads(path.read_text())
        if record["identity"]["method"] == "ddpm":
            record |= {"steps": 60, "initial_weights": {**start, "trained_on": {"name": "soop"}}}
        files.append(folder / f"train{number}.json")
        files[-1].write_text(json.dumps(record))
    return files


def test_tables_say_what_trainings_started_from(toy, tmp_path) -> None:
    headline(toy, tmp_path, trainings=started(toy, tmp_path))
    words = "bundled weights ddpm_soop_FLAIR.zip (2026-11-30, 1600 steps on soop, code c0ffee0)"
    assert f"Weights before the first step: ddpm from {words}." in (tmp_path / "table.html").read_text()
    write_cost(toy.summary, started(toy, tmp_path), toy.bases, {}, **paths(tmp_path))
    rows = csv.DictReader((tmp_path / "table.csv").open())
    assert {row["Method"]: row["Started from"] for row in rows} == {"ddpm": words, "intensity": "–"}


def test_without_initial_weights_tables_say_nothing_of_them(toy, tmp_path) -> None:
    headline(toy, tmp_path)
    assert "Weights before the first step" not in (tmp_path / "table.html").read_text()


def test_number_of_parameters_is_readable(toy, tmp_path) -> None:
    assert {row["Parameters (M)"] for row in headline(toy, tmp_path)} == {"1.23", "0.00"}


def test_methods_stand_in_the_order_of_the_configuration(toy, tmp_path) -> None:
    rows = headline(toy, tmp_path, bases={"intensity": "intensity", "ddpm": "ddpm"})
    assert [row["Method"] for row in rows] == ["intensity", "ddpm"] * 2
    write_thresholds(toy.summary, {"intensity": "intensity"}, **paths(tmp_path))
    assert [row["Method"] for row in csv.DictReader((tmp_path / "table.csv").open())] == ["intensity", "ddpm"] * 2


def test_tables_of_dice_name_the_convention_for_empty_masks(toy, tmp_path) -> None:
    write_thresholds(toy.summary, toy.bases, **paths(tmp_path), empty="panoptica_brats")
    assert "preset BRATS" in (tmp_path / "table.html").read_text()
    headline(toy, tmp_path)
    assert "(evaluation.empty_masks: madad)" in (tmp_path / "table.html").read_text()


def test_oracles_are_called_so(toy, tmp_path) -> None:
    headline(toy, tmp_path)
    assert "Oracle thresholds have seen the test labels" in (tmp_path / "table.html").read_text()


def test_missing_values_are_said(toy, tmp_path) -> None:
    summary = pd.read_csv(toy.summary)
    summary.loc[0, "missing"] = 2
    summary.to_csv(tmp_path / "summary.csv", index=False)
    headline(toy, tmp_path, summary=tmp_path / "summary.csv")
    shown = summary.loc[0]
    text = (tmp_path / "fragment.html").read_text()
    assert f"samples without a value: {shown['method']} 2;" in text


def test_what_every_method_lacks_is_said_once(toy, tmp_path) -> None:
    summary = pd.read_csv(toy.summary)
    summary.loc[summary["measure"] == "dice_validation", "missing"] = 3
    summary.to_csv(tmp_path / "summary.csv", index=False)
    headline(toy, tmp_path, summary=tmp_path / "summary.csv")
    assert (tmp_path / "fragment.html").read_text().count("3 under every method") == 2  # once a test set


def test_column_of_a_protocol_without_value_says_why(tmp_path) -> None:
    case = Case(tmp_path, {"validation": ["healthy"], "test": ["healthy", "patient", "patient"]})
    case.rows()
    collect([case.out], tmp_path / "metrics.csv")
    summarise(tmp_path / "metrics.csv", tmp_path / "summary.csv")
    write_thresholds(tmp_path / "summary.csv", {}, **paths(tmp_path))
    text = (tmp_path / "table.html").read_text()
    assert "toy, T1w: no value of Dice, validation: no validation subject has a marked lesion." in text
    assert "log of the evaluation" not in text


def test_columns_of_a_test_set_without_lesions_say_why(tmp_path) -> None:
    case = Case(tmp_path, {"validation": ["healthy", "patient"], "test": ["healthy", "healthy"]})
    case.rows()
    collect([case.out], tmp_path / "metrics.csv")
    summarise(tmp_path / "metrics.csv", tmp_path / "summary.csv")
    write_thresholds(tmp_path / "summary.csv", {}, **paths(tmp_path))
    text = (tmp_path / "table.html").read_text()
    assert "no value of Dice, validation; Dice, healthy FPR 1 %; " in text and "no test subject has a marked lesion." in text


def test_every_threshold_has_a_column(toy, tmp_path) -> None:
    write_thresholds(toy.summary, toy.bases, **paths(tmp_path))
    header = (tmp_path / "table.csv").read_text().splitlines()[0]
    assert all(name in header for name in ("validation", "FPR 1 %", "FPR 5 %", "oracle ↑", "oracle per subject"))


def published(toy, folder: Path, **changed) -> list[dict[str, str]]:
    write_published(**{"summary": toy.summary, "bases": toy.bases, **changed}, **paths(folder))
    return list(csv.DictReader((folder / "table.csv").open()))


def test_published_protocol_stands_beside_the_common_one(toy, tmp_path) -> None:
    rows = published(toy, tmp_path)
    assert [(row["Test set"], row["Method"], row["Protocol"]) for row in rows] == [
        ("phantom, FLAIR (n = 4 with a lesion, 4 healthy)", "ddpm", "behrendt"),
        ("phantom-implanted, FLAIR (n = 4 with a lesion, 4 healthy)", "ddpm", "behrendt"),
    ]
    for row in rows:
        paper, common = (row[f"AUPRC{kind}"].split(" [") for kind in (", published protocol", " ↑"))
        assert 0 < float(paper[0]) < 1 and 0 < float(common[0]) < 1 and paper != common
        assert 0 < float(row["Healthy l1, published protocol"]) < float(row["Healthy l1"])  # background is easy


def test_published_protocol_is_explained_and_nobody_wins(toy, tmp_path) -> None:
    published(toy, tmp_path)
    page = (tmp_path / "table.html").read_text()
    assert "Protocol behrendt: brain mask eroded" in page and "Protocol mhd" not in page
    assert "textbf" not in (tmp_path / "table.tex").read_text()


def test_no_method_with_a_published_protocol_gives_an_empty_table(toy, tmp_path) -> None:
    summary = pd.read_csv(toy.summary)
    summary[summary["method"] == "intensity"].to_csv(tmp_path / "summary.csv", index=False)
    assert published(toy, tmp_path, summary=tmp_path / "summary.csv") == []


def test_cost_table_knows_the_machine(toy, tmp_path) -> None:
    write_cost(toy.summary, toy.trainings, toy.bases, {}, **paths(tmp_path))
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert {row["Device"] for row in rows} == {"cpu"}
    assert {row["Method"]: float(row["Training (min)"]) for row in rows} == {"intensity": 0, "ddpm": pytest.approx(5.35)}


def test_cost_of_training_holds_that_of_the_parts(toy, tmp_path) -> None:
    write_cost(toy.summary, toy.trainings, toy.bases, {"intensity": ["ddpm"]}, **paths(tmp_path))
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert rows and all(float(row["Training (min)"]) == pytest.approx(5.35) for row in rows)


def test_no_evaluation_gives_empty_tables(toy, tmp_path) -> None:
    (tmp_path / "summary.csv").write_text(toy.summary.read_text().splitlines()[0] + "\n")
    assert headline(toy, tmp_path, summary=tmp_path / "summary.csv", trainings=[]) == []


def test_every_number_has_a_line_of_its_own(toy, tmp_path: Path) -> None:
    write_thresholds(toy.summary, toy.bases, **paths(tmp_path))
    shown = list(csv.DictReader(paths(tmp_path)["csv"].open()))
    numbers = list(csv.DictReader(numbers_beside(paths(tmp_path)["csv"]).open()))
    assert list(numbers[0]) == ["group", "row", "column", "value", "lower", "upper", "n", "bold"]
    columns = [column for column in shown[0] if column not in ("Test set", "Method")]
    assert [(one["row"], one["column"]) for one in numbers] == [(row["Method"], column) for row in shown for column in columns]
    for one, text in zip(numbers, (row[column] for row in shown for column in columns), strict=True):
        assert text == "–" if not one["value"] else abs(float(one["value"]) - float(text.split()[0])) < 0.06
        assert not one["lower"] or (float(one["lower"]) <= float(one["value"]) <= float(one["upper"]) and int(one["n"]) > 0)
