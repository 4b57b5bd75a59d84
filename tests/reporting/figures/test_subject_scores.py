from __future__ import annotations

import pandas as pd
import pytest

from madad.reporting.figures.subject_scores import draw_subject_scores
from madad.reporting.layout import style
from tests.reporting import seen, wide_results


def changed(made, folder, rows, value) -> None:
    table = pd.read_csv(made.metrics, keep_default_na=False)
    table.loc[rows(table), "value"] = value
    table.to_csv(made.metrics, index=False, na_rep="nan")


def figure_of(made, monkeypatch):
    figures = seen.caught(monkeypatch)
    draw_subject_scores(made.metrics, "x.png", "x.pdf")
    return figures[0]


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


def test_unknown_group_is_shown_but_on_no_side(monkeypatch, tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("ddpm",), testsets=("own",), seeds=("0",))
    table = pd.read_csv(made.metrics, keep_default_na=False)
    ill = sorted(set(table.loc[(table["group"] == "patient"), "sample"]))
    table.loc[table["sample"] == ill[0], "group"] = "unknown"
    table.to_csv(made.metrics, index=False, na_rep="nan")
    figure = figure_of(made, monkeypatch)
    assert "(n = 5 healthy, 4 with a lesion, 1 of unknown group)" in seen.words(figure)
    assert [len(dots.get_offsets()) for dots in figure.axes[0].collections] == [5, 4, 1]
