"""The numbers beside a figure are those that it draws."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from madad.reporting.layout import style


def rows_of(figure: plt.Figure, folder: Path) -> list[dict[str, str]]:
    style.save(figure, folder / "a.png", folder / "a.pdf", numbers=True)
    return list(csv.DictReader((folder / "a.csv").open()))


def test_curves_and_markers_have_their_panel_axes_and_name(tmp_path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2)
    left.plot([0, 1, 2], [5, 6, 7], color="#0072b2", marker="o")
    left.axhline(6, color="black")  # a guide, no number
    left.set(xlabel="Recall", ylabel="Precision")
    left.set_title("soop,\nFLAIR")
    right.scatter([1.5], [2.5], color="#d55e00")
    right.plot([3], [4], ls="none", marker="s", color="#0072b2", gid="own name")
    figure.legend(handles=[plt.Line2D([], [], color="#0072b2", marker="o", label="ddpm")])
    rows = rows_of(figure, tmp_path)
    curve = [row for row in rows if row["kind"] == "curve"]
    assert [(float(row["x"]), float(row["y"])) for row in curve] == [(0, 5), (1, 6), (2, 7)]
    head = {"panel": "soop, FLAIR", "x_axis": "Recall", "y_axis": "Precision", "series": "ddpm"}
    assert all(row | head == row for row in curve)
    points = {(row["x"], row["y"]): row["series"] for row in rows if row["kind"] == "point"}
    assert points == {("1.5", "2.5"): "", ("3", "4"): "own name"} and len(rows) == 5


def test_intervals_bars_and_cells(tmp_path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2)
    left.hlines([0], [0.1], [0.4], label="interval of ddpm")
    left.bar([1], [3.0], width=1.0)
    left.set_yticks([0, 1], ["ddpm", "dae"])
    right.imshow(np.array([[0.25, np.nan]]))
    found = {row["kind"]: row for row in rows_of(figure, tmp_path)}
    interval, bar = found["interval"], found["bar"]
    assert [float(interval[key]) for key in ("x", "x_end", "y")] == [0.1, 0.4, 0] and interval["y_name"] == "ddpm"
    assert interval["series"] == "interval of ddpm"
    assert [float(bar[key]) for key in ("x", "x_end", "y", "y_end")] == [0.5, 1.5, 0, 3]
    cells = [row["value"] for row in csv.DictReader((tmp_path / "a.csv").open()) if row["kind"] == "cell"]
    assert cells == ["0.25", "nan"]


def test_bands_have_both_ends_and_no_place_without_a_value(tmp_path: Path) -> None:
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3, 4], [5, 6, 7, 8], color="#0072b2")
    axes.fill_between([1, 2, 3, 4], [4, 5, np.nan, 7], [6, 8, np.nan, 9], color="#0072b2", alpha=0.2, lw=0)
    axes.legend(handles=[plt.Line2D([], [], color="#0072b2", label="ddpm")])
    bands = [row for row in rows_of(figure, tmp_path) if row["kind"] == "band"]
    keys = ("x", "y", "x_end", "y_end")
    assert [tuple(float(row[key]) for key in keys) for row in bands] == [(1, 4, 1, 6), (2, 5, 2, 8), (4, 7, 4, 9)]
    assert {row["series"] for row in bands} == {"ddpm"}


def test_a_panel_is_named_after_its_part_of_the_figure(tmp_path: Path) -> None:
    figure = plt.figure()
    figure.suptitle("All")
    for part, name in zip(figure.subfigures(2, 1), ("soop", "ixi"), strict=True):
        part.suptitle(name)
        axes = part.subplots()
        axes.set_title("ddpm")
        axes.plot([0, 1], [0, 1])
    assert {row["panel"] for row in rows_of(figure, tmp_path)} == {"All: soop: ddpm", "All: ixi: ddpm"}


def test_a_shaded_span_is_no_bar(tmp_path: Path) -> None:
    figure, axes = plt.subplots()
    axes.axvspan(1, 2)
    axes.axhspan(1, 2)
    axes.bar([3], [1.0])
    assert [row["x"] for row in rows_of(figure, tmp_path)] == ["2.6"]


def test_a_figure_without_numbers_has_the_head_alone_and_others_no_file(tmp_path: Path) -> None:
    assert rows_of(style.empty("nothing"), tmp_path) == []
    style.save(style.empty("nothing"), tmp_path / "b.pdf")
    assert not (tmp_path / "b.csv").exists()
