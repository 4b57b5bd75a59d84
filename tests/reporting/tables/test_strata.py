from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from madad.evaluation.results.collected import collect
from madad.evaluation.results.sample_covariates import NUMBERS, TEXTS
from madad.reporting.figures.strata import draw_strata
from madad.reporting.layout import style
from madad.reporting.tables.strata import divided, strata_of, write_strata
from tests.reporting import implanted_results, seen

BLOCK = ("own", "T1w", "own-implanted")


@pytest.fixture(scope="module")
def implanted(tmp_path_factory):
    return implanted_results.build(tmp_path_factory.mktemp("implanted"))


def known(number: int, **columns) -> pd.DataFrame:
    """Rows of so many samples, each of a subject of its own; what is not given is unknown."""
    nothing = {**dict.fromkeys(TEXTS, ""), **dict.fromkeys(NUMBERS, np.nan)}
    names = [f"s{place}" for place in range(number)]
    return pd.DataFrame({**nothing, "sample": names, "subject": names, **columns}, index=range(number))


def levels(samples: pd.DataFrame, factor: str) -> dict[str, int]:
    return {one.level: len(one.samples) for one in strata_of(samples)[0] if one.factor == factor}


def table(made, folder: Path) -> tuple[list[dict[str, str]], str]:
    paths = {kind: folder / f"table.{kind}" for kind in ("csv", "tex", "html")}
    write_strata(made.metrics, made.samples, **paths)
    return list(csv.DictReader(paths["csv"].open())), paths["html"].read_text()


def draw(made, folder: Path, block: tuple = BLOCK) -> list[Path]:
    paths = [folder / "s.png", folder / "s.pdf"]
    draw_strata(made.metrics, made.samples, *block, *paths)
    return paths


def test_few_volumes_are_levels_and_many_become_quarters() -> None:
    assert levels(known(4, volume_ml=[1, 3, 3, 10], lesion_ml=9.0), "Lesion volume") == {"1 ml": 1, "3 ml": 2, "10 ml": 1}
    quarters = levels(known(20, lesion_ml=np.arange(1.0, 21.0)), "Lesion volume")
    assert quarters == {"1–5 ml": 5, "6–10 ml": 5, "11–15 ml": 5, "16–20 ml": 5}


def test_ages_are_banded_and_the_unknown_told() -> None:
    samples = known(6, age=[18, 39.9, 40, 59.9, 60, np.nan])
    assert levels(samples, "Age") == {"< 40 y": 2, "40–59 y": 2, "≥ 60 y": 1}
    assert "age unknown for 1 of 6 samples" in strata_of(samples)[1]


def test_many_sites_are_taken_together() -> None:
    sites = [f"site-{place}" for place in range(10) for _ in range(10 - place)]
    found = levels(known(len(sites), site=sites), "Site")
    assert found == {**{f"site-{place}": 10 - place for place in range(5)}, "5 others": 15}


def test_what_is_unknown_or_the_same_is_told_and_not_divided() -> None:
    strata, notes = strata_of(known(3, sex="F", lesion_ml=[1.0, 2.0, 3.0]))
    assert {one.factor for one in strata} == {"Lesion volume"}
    assert "sex the same throughout (F)" in notes
    assert {"contrast unknown", "place unknown", "site unknown", "age unknown"} <= set(notes)


def test_subjects_are_counted_once() -> None:
    samples = known(4, lesion_ml=[1.0, 1.0, 2.0, 2.0]).assign(subject=["a", "a", "a", "b"])
    assert [one.subjects for one in strata_of(samples)[0]] == [1, 2]


def test_no_sample_has_no_strata() -> None:
    assert strata_of(known(0))[0] == []


def test_values_are_means_over_the_subjects_of_a_stratum(implanted) -> None:
    (found,) = divided(implanted.metrics, implanted.samples).values()
    metrics = pd.read_csv(implanted.metrics).merge(pd.read_csv(implanted.samples), on=["sample", "subject"])
    for place, stratum in enumerate(found.strata):
        own = metrics[(metrics.metric == "auprc") & (metrics.method == "strong") & metrics["sample"].isin(stratum.samples)]
        wanted = own.groupby("subject")["value"].mean().mean()
        assert found.values["auprc", "strong", place].value == pytest.approx(wanted)
        assert found.values["auprc", "strong", place].subjects == stratum.subjects == own["subject"].nunique()
    assert [one.level for one in found.strata if one.factor == "Lesion volume"] == ["1 ml", "3 ml", "10 ml", "30 ml"]


def test_table_has_a_column_for_every_method_and_a_row_for_every_level(implanted, tmp_path) -> None:
    rows, page = table(implanted, tmp_path)
    assert {row["Test set"] for row in rows} == {"own-implanted, T1w: AUPRC", "own-implanted, T1w: Dice, validation"}
    small, large = (next(row for row in rows if row["Level"] == level) for level in ("1 ml", "30 ml"))
    assert (small["Stratum"], small["Samples"], small["Subjects"]) == ("Lesion volume", "12", "6")
    assert float(small["strong"].split()[0]) < float(large["strong"].split()[0])
    assert "site unknown" in page


def test_one_subject_has_no_interval(tmp_path) -> None:
    made = implanted_results.build(tmp_path, subjects=1)
    rows, page = table(made, tmp_path)
    assert rows and all("[" not in row["strong"] for row in rows)
    assert "age the same throughout" in page
    assert draw(made, tmp_path)[0].exists()


def test_method_without_a_threshold_keeps_its_other_numbers(tmp_path) -> None:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(value=rows["value"].mask((rows["method"] == "weak") & (rows["protocol"] == "validation")))

    made = implanted_results.build(tmp_path, change=change)
    rows, _ = table(made, tmp_path)
    dice = [row["weak"] for row in rows if "Dice" in row["Test set"]]
    assert set(dice) == {"–"}
    assert all(row["weak"] != "–" for row in rows if "AUPRC" in row["Test set"])
    assert draw(made, tmp_path)[0].exists()


def test_nothing_to_divide_is_said(implanted, tmp_path, monkeypatch) -> None:
    texts = []
    real = style.empty
    monkeypatch.setattr(style, "empty", lambda reason: texts.append(reason) or real(reason))
    draw(implanted, tmp_path, ("own", "T1w", "elsewhere"))
    same = implanted_results.build(
        tmp_path, known=lambda samples: known(len(samples)).assign(**samples[list(TEXTS[:5])]).assign(place="")
    )
    draw(same, tmp_path)
    assert "no sample with a lesion" in texts[0]
    assert "do not differ" in texts[1]
    collect([], tmp_path / "m.csv")
    implanted_nothing = type(implanted)(metrics=tmp_path / "m.csv", samples=implanted.samples)
    rows, page = table(implanted_nothing, tmp_path)
    assert rows == [] and "No test subject has a marked lesion" in page


def test_figure_has_the_same_bytes_each_time(implanted, tmp_path) -> None:
    first, second = ([path.read_bytes() for path in draw(implanted, tmp_path / turn)] for turn in ("a", "b"))
    assert first == second


def test_twelve_methods_with_long_names_are_legible(tmp_path, monkeypatch) -> None:
    abilities = {f"method_number_{place:02d}_with_a_name": (place - 4.0, 3.0, 3.0) for place in range(12)}
    made = implanted_results.build(tmp_path, abilities, subjects=3, seeds=("0",))
    figures = seen.caught(monkeypatch)
    draw(made, tmp_path)
    words = seen.words(figures[0])
    assert all(text in words for text in (*abilities, "30 ml (6)", "deep grey (12)", "F (16)"))
    # The boxes of slanted labels overlap, the labels do not.
    assert all(pair[0].endswith(")") and pair[1].endswith(")") for pair in seen.collisions(figures[0]))
