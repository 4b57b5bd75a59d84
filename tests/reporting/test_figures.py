"""Every figure is drawn, twice with the same bytes, and says so when there is nothing to draw."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from madad.evaluation.results.collected import collect
from madad.evaluation.statistics.summary import summarise
from madad.reporting.deliverables.figures import FIGURES
from madad.reporting.figures import comparison, cost, curves, froc, subject_scores
from madad.reporting.layout import style
from madad.reporting.quality import summary as quality
from tests.reporting import wide_results


def draw(name: str, toy, folder: Path) -> list[Path]:
    png, pdf = folder / f"{name}.png", folder / f"{name}.pdf"
    if name == "comparison":
        comparison.draw_comparison(toy.summary, toy.metrics, png, pdf, folder / "fragment.html")
    elif name == "cost":
        cost.draw_frontier(toy.summary, toy.trainings, png, pdf)
    elif name == "training":
        curves.draw_training(toy.histories, toy.trainings, png, pdf, png.with_suffix(".csv"))
    elif name == "subject_scores":
        subject_scores.draw_subject_scores(toy.metrics, png, pdf)
    elif name == "froc":
        froc.draw_froc(toy.metrics, png, pdf)
    elif name == "quality_numbers":
        quality.draw_quality(toy.judged, png, pdf)
    else:
        getattr(curves, f"draw_{name}")(toy.metrics, png, pdf)
    return [png, pdf]


NAMES = ("comparison", "cost", "froc", "training", "precision_recall", "score_distributions", "subject_scores", "quality_numbers")
# Figures with a file of the numbers that they draw.
WITH_NUMBERS = {Path(file.path).stem for row in FIGURES for file in row.outputs if file.argument == "numbers"}


@pytest.mark.parametrize("name", NAMES)
def test_figure_is_drawn_in_two_formats_without_dates(name: str, toy, tmp_path) -> None:
    png, pdf = draw(name, toy, tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert b"CreationDate" not in pdf.read_bytes()
    assert b"Software" not in png.read_bytes()
    assert (tmp_path / f"{name}.csv").exists() == (name in WITH_NUMBERS or name == "training")


@pytest.mark.parametrize("name", ["comparison", "subject_scores", "cost"])
def test_figure_has_the_same_bytes_each_time(name: str, toy, tmp_path) -> None:
    first, second = ([path.read_bytes() for path in draw(name, toy, tmp_path / turn)] for turn in ("a", "b"))
    assert first == second


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_draw_is_said(name: str, toy, tmp_path, monkeypatch) -> None:
    said = []
    real = style.empty
    monkeypatch.setattr(style, "empty", lambda reason: said.append(reason) or real(reason))
    collect([], tmp_path / "m.csv")
    summarise(tmp_path / "m.csv", tmp_path / "s.csv")
    nothing = type(toy)(metrics=tmp_path / "m.csv", summary=tmp_path / "s.csv", histories=[], trainings=[], judged=[])
    assert draw(name, nothing, tmp_path)[0].exists()
    assert said and (tmp_path / f"{name}.csv").exists() == (name in WITH_NUMBERS or name == "training")


def test_fragment_is_a_drawing_that_fits(toy, tmp_path) -> None:
    draw("comparison", toy, tmp_path)
    text = (tmp_path / "fragment.html").read_text()
    assert text.startswith("<div><svg style=")
    assert "<?xml" not in text


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("training", "quality_numbers")])
@pytest.mark.parametrize("missing", [False, True])
def test_one_method_one_subject_one_seed(name: str, missing: bool, toy, tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("ddpm",), testsets=("own",), seeds=("0",), subjects=1)
    if missing:
        table = pd.read_csv(made.metrics, keep_default_na=False)
        table["value"] = float("nan")
        table.to_csv(made.metrics, index=False, na_rep="nan")
        summarise(made.metrics, made.summary)
    assert all(path.stat().st_size > 1000 for path in draw(name, made, tmp_path))
