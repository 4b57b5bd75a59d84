from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest

from madad.reporting import style
from madad.reporting.subjects import draw_subject_scores, write_subjects

from . import seen, wide_results


def figure_of(made, monkeypatch):
    figures = seen.caught(monkeypatch)
    draw_subject_scores(made.metrics, "x.png", "x.pdf")
    return figures[0]


def rows_of(made, folder) -> list[dict[str, str]]:
    write_subjects(made.metrics, {}, folder / "t.csv", folder / "t.tex", folder / "t.html")
    return list(csv.DictReader((folder / "t.csv").open()))


def changed(made, folder, rows, value) -> None:
    table = pd.read_csv(made.metrics, keep_default_na=False)
    table.loc[rows(table), "value"] = value
    table.to_csv(made.metrics, index=False, na_rep="nan")


def test_scores_are_in_standard_deviations_of_the_healthy(monkeypatch, tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("ddpm",), testsets=("own",), seeds=("0",))
    scores = pd.read_csv(made.metrics, keep_default_na=False).query("metric == 'subject_score' and protocol == 'mean'")
    values = {group: own["value"].astype(float).to_numpy() for group, own in scores.groupby("group")}
    dots = figure_of(made, monkeypatch).axes[0].collections
    mean, spread = values["healthy"].mean(), values["healthy"].std(ddof=1)
    assert sorted(dots[0].get_offsets()[:, 0]) == pytest.approx(sorted((values["healthy"] - mean) / spread))
    assert sorted(dots[1].get_offsets()[:, 0]) == pytest.approx(sorted((values["patient"] - mean) / spread))


def test_twelve_methods_do_not_collide_and_have_their_auroc(wide, monkeypatch) -> None:
    figure = figure_of(wide, monkeypatch)
    assert seen.collisions(figure) == []
    text = seen.words(figure)
    assert text.count("(n = 5 healthy, 5 with a lesion)") == len(wide.testsets)
    assert text.count("0.80") + text.count("0.81") == 3 * len(wide.methods) * len(wide.testsets)


def test_nobody_to_compare_with_is_said(monkeypatch, tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("ddpm",), testsets=("own",), seeds=("0",))
    table = pd.read_csv(made.metrics, keep_default_na=False)
    table[table["group"] != "healthy"].to_csv(made.metrics, index=False)
    assert "no healthy subject to compare with" in seen.words(figure_of(made, monkeypatch))


def test_equal_healthy_scores_are_said(monkeypatch, tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("ddpm",), testsets=("own",), seeds=("0",))
    changed(made, tmp_path, lambda table: (table["metric"] == "subject_score") & (table["group"] == "healthy"), 0.5)
    assert seen.words(figure_of(made, monkeypatch)).count("healthy scores do not differ") == 3


def test_a_single_healthy_subject_is_said(monkeypatch, tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("ddpm",), testsets=("own",), seeds=("0",), subjects=1)
    assert seen.words(figure_of(made, monkeypatch)).count("one healthy subject has no spread") == 3


def test_figure_has_no_more_than_the_page(wide, monkeypatch) -> None:
    assert figure_of(wide, monkeypatch).get_figwidth() <= style.PAGE + 1


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
    assert ends == pytest.approx([wanted["subject_auroc_low"], wanted["subject_auroc_high"]], abs=5e-3)
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
