from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from madad.evaluation.results.collected import collect
from madad.evaluation.statistics.summary import summarise
from madad.reporting.figures.froc import draw_froc
from madad.reporting.layout import style
from tests.reporting import implanted_results, seen


def panels(made, folder: Path, monkeypatch) -> list[plt.Axes]:
    figures = seen.caught(monkeypatch)
    draw_froc(made.metrics, folder / "f.png", folder / "f.pdf")
    return figures[0].axes


def test_curve_is_the_mean_over_seeds(tmp_path, monkeypatch) -> None:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        points = rows["metric"] == "froc_sensitivity"
        return rows.assign(value=rows["value"].mask(points, np.where(rows["seed"] == "0", 0.2, 0.6)))

    made = implanted_results.build(tmp_path, {"only": (0.0, 1.0, 1.0)}, change=change)
    (axes,) = panels(made, tmp_path, monkeypatch)
    curve, marks = axes.get_lines()[:2]
    assert curve.get_ydata() == pytest.approx(0.4)
    assert marks.get_xdata().tolist() == [0.5, 1, 2, 4, 8]
    assert marks.get_ydata() == pytest.approx(0.4)


def test_band_is_that_of_the_intervals_of_one_seed(tmp_path, monkeypatch) -> None:
    made = implanted_results.build(tmp_path, {"only": (0.0, 1.0, 1.0)}, seeds=("0",))
    (axes,) = panels(made, tmp_path, monkeypatch)
    line, (band,) = axes.get_lines()[0].get_ydata(), axes.collections
    ends = band.get_paths()[0].vertices[:, 1]
    assert (ends.min(), ends.max()) == pytest.approx((0.8 * line[0], line[-1] + 0.2 * (1 - line[-1])))
    assert "95 % interval" in [text.get_text() for text in axes.figure.legends[0].get_texts()]


def test_nothing_found_is_said_in_the_panel(tmp_path, monkeypatch) -> None:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(value=rows["value"].mask(rows["metric"].str.startswith("froc_sensitivity"), 0.0))

    (axes,) = panels(implanted_results.build(tmp_path, change=change), tmp_path, monkeypatch)
    assert "no lesion found" in axes.texts[0].get_text()
    assert axes.get_ylim()[1] > 0.04


def test_no_lesion_at_all_is_said(tmp_path, monkeypatch) -> None:
    texts = []
    real = style.empty
    monkeypatch.setattr(style, "empty", lambda reason: texts.append(reason) or real(reason))
    collect([], tmp_path / "m.csv")
    summarise(tmp_path / "m.csv", tmp_path / "s.csv")
    draw_froc(tmp_path / "m.csv", tmp_path / "f.png", tmp_path / "f.pdf")
    assert texts == ["No test subject has a marked lesion"]


def test_a_method_without_a_curve_leaves_the_others(tmp_path, monkeypatch) -> None:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        lost = rows["protocol"].str.startswith("froc") & (rows["method"] == "weak")
        return rows.assign(value=rows["value"].mask(lost))

    (axes,) = panels(implanted_results.build(tmp_path, change=change), tmp_path, monkeypatch)
    assert len(axes.get_lines()) == 2


def test_long_legend_does_not_eat_the_panels(tmp_path, monkeypatch) -> None:
    def height(abilities: dict) -> float:
        (axes,) = panels(implanted_results.build(tmp_path, abilities, seeds=("0",)), tmp_path, monkeypatch)
        assert not seen.collisions(axes.figure)
        return axes.get_position().height * axes.figure.get_figheight()

    short = height({"a": (0.0, 1.0, 1.0)})
    assert height({f"method_number_{place:02d}_with_a_long_name": (0.0, 1.0, 1.0) for place in range(12)}) > 0.9 * short


def test_figure_of_evaluated_maps_has_the_same_bytes_each_time(toy, tmp_path) -> None:
    made = []
    for turn in ("a", "b"):
        draw_froc(toy.metrics, tmp_path / turn / "f.png", tmp_path / turn / "f.pdf")
        made.append([(tmp_path / turn / f"f.{kind}").read_bytes() for kind in ("png", "pdf")])
    assert made[0] == made[1]
