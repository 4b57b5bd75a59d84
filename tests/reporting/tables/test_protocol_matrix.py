from __future__ import annotations

import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from madad.evaluation.statistics.summary import summarise
from madad.reporting.layout import style
from madad.reporting.tables.protocol_matrix import (
    POST_COLUMNS,
    PROTOCOLS,
    draw_protocols,
    reference,
    write_post_processing,
    write_protocols,
)
from tests.reporting.long_rows import graded, of_everybody, of_samples, write

BASES = {"c": "c", "b": "b", "a": "a"}


def simulated(methods: str = "abc", without: tuple[str, ...] = (), subjects: int = 10) -> list[tuple]:
    """Rows of every protocol and every step; under `dice_subject` the order of methods is turned round."""
    rows = []
    for name, values in graded(methods, subjects).items():
        for measure in dict.fromkeys([*(one.measure for one in PROTOCOLS), *(measure for measure, _ in POST_COLUMNS)]):
            own = np.full(subjects, np.nan) if measure.key in without else 1 - values if measure.key == "dice_subject" else values
            what = (measure.protocol.name, measure.metric.name)
            rows += of_everybody(name, own.mean(), what) if measure.pooled else of_samples(name, own, what)
    return rows


def summary_of(folder: Path, rows: list[tuple]) -> Path:
    summarise(write(folder / "m.csv", rows), folder / "s.csv")
    return folder / "s.csv"


def table(folder: Path, rows: list[tuple], make=write_protocols) -> list[dict[str, str]]:
    make(summary_of(folder, rows), BASES, *(folder / f"t.{kind}" for kind in ("csv", "tex", "html")))
    return list(csv.DictReader((folder / "t.csv").open()))


def drawn(folder: Path, rows: list[tuple], monkeypatch) -> plt.Figure:
    figures = []
    monkeypatch.setattr(style, "save", lambda figure, *paths, **_: figures.append(figure))
    draw_protocols(summary_of(folder, rows), folder / "p.png", folder / "p.pdf")
    return figures[0]


def test_every_protocol_has_a_column_and_oracles_are_marked(tmp_path) -> None:
    rows = table(tmp_path, simulated())
    assert [row["Method"] for row in rows] == ["c", "b", "a"]
    columns = list(rows[0])[2:]
    assert len(columns) == len(PROTOCOLS) == 10
    assert [column for column in columns if column.endswith("†")] == [one.heading for one in PROTOCOLS if one.sees]
    assert all(cell != "–" for row in rows for cell in row.values())


def test_protocols_that_see_labels_are_the_oracles_and_the_best_pooled_threshold() -> None:
    for one in PROTOCOLS:
        assert one.sees == one.measure.protocol.name.startswith(("oracle", "pooled_best"))
        assert one.measure.metric.name.startswith("dice")


def test_changes_of_order_are_told(tmp_path) -> None:
    table(tmp_path, simulated())
    page = (tmp_path / "t.html").read_text()
    assert "Each subject&#39;s best 3 of 3" in page
    assert "Healthy FPR 1 % 0 of 3" in page


def test_missing_protocol_is_a_dash_and_another_one_the_reference(tmp_path) -> None:
    rows = table(tmp_path, simulated(without=("dice_validation",)))
    assert {row["Validation"] for row in rows} == {"–"}
    page = (tmp_path / "t.html").read_text()
    assert "pairs ordered otherwise than by Healthy FPR 1 %" in page
    assert "samples without a value: 10 under every method" in page


def test_protocols_of_the_toy_have_values(toy, tmp_path) -> None:
    write_protocols(toy.summary, toy.bases, *(tmp_path / f"t.{kind}" for kind in ("csv", "tex", "html")))
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert len(rows) == 4
    filled = [column for column in rows[0] if all(row[column] != "–" for row in rows)]
    assert {one.heading for one in PROTOCOLS if one.sees} <= set(filled)
    for row in rows:
        best, mean, pooled = (
            float(row[f"{name}†"].split()[0]) for name in ("Each subject's best", "Best mean", "Mean at the pooled best")
        )
        assert best >= mean - 5e-3 and mean >= pooled - 5e-3


def test_post_processing_has_every_step_alone_and_all(tmp_path) -> None:
    rows = table(tmp_path, simulated(), write_post_processing)
    columns = list(rows[0])[2:]
    assert len(columns) == 17
    assert columns[:5] == [f"AUPRC, {step}" for step in ("none", "smoothed", "erosion", "median", "chain")]
    steps = "none", "smoothed", "erosion", "median", "components", "chain"
    assert columns[5:11] == [f"Dice, validation, {step}" for step in steps]
    assert all(column.startswith("Dice, oracle†, ") for column in columns[11:])


def test_post_processing_of_the_toy_has_values(toy, tmp_path) -> None:
    write_post_processing(toy.summary, toy.bases, *(tmp_path / f"t.{kind}" for kind in ("csv", "tex", "html")))
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert rows and all(cell != "–" for row in rows for cell in row.values())


def texts(figure: plt.Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_figure_counts_the_changes_above_every_protocol(tmp_path, monkeypatch) -> None:
    told = texts(drawn(tmp_path, simulated(), monkeypatch))
    assert told.count("0 of 3") == 8
    assert told.count("3 of 3") == told.count("reference") == 1


def test_figure_names_every_method_at_both_ends(tmp_path, monkeypatch) -> None:
    told = texts(drawn(tmp_path, simulated(), monkeypatch))
    assert all(told.count(name) == 2 for name in "abc")


def test_best_method_stands_at_the_top(tmp_path, monkeypatch) -> None:
    figure = drawn(tmp_path, simulated(), monkeypatch)
    heights = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts if text.get_ha() == "right"}
    assert (heights["c"], heights["a"]) == (1, 3)
    bottom, top = figure.axes[0].get_ylim()
    assert bottom > top  # rank 1 is above


def test_method_alone_under_a_protocol_has_no_rank_there(tmp_path, monkeypatch) -> None:
    rows = [row for row in simulated("ab") if not (row[3] == "a" and row[9] == "conformal_fpr_1")]
    figure = drawn(tmp_path, rows, monkeypatch)
    place = [one.key for one in PROTOCOLS].index("dice_conformal")
    lines = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    assert lines and all(np.isnan(line.get_ydata()[place]) for line in lines)


def test_methods_that_share_a_rank_have_names_of_their_own(tmp_path, monkeypatch) -> None:
    rows = simulated("ab")
    rows += [(*row[:3], name, *row[4:]) for row in rows if row[3] == "b" for name in "cdefghijklm"]
    figure = drawn(tmp_path, rows, monkeypatch)
    figure.canvas.draw()
    names = [text for text in figure.axes[0].texts if text.get_text() in tuple("abcdefghijklm")]
    assert len(names) == 26
    boxes = [text.get_window_extent() for text in names]
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_line_breaks_where_there_is_no_value(tmp_path, monkeypatch) -> None:
    figure = drawn(tmp_path, simulated(without=("dice_conformal",)), monkeypatch)
    place = [one.key for one in PROTOCOLS].index("dice_conformal")
    lines = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    assert len(lines) == 3 and all(np.isnan(line.get_ydata()[place]) for line in lines)
    assert "no value" in texts(figure)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "No evaluation yet"),
        (simulated("a"), "one method only: nothing to rank"),
        (simulated("ab", without=tuple(one.key for one in PROTOCOLS)), "no value under any protocol"),
    ],
)
def test_nothing_to_rank_is_said(rows: list[tuple], said: str, tmp_path, monkeypatch) -> None:
    assert said in texts(drawn(tmp_path, rows, monkeypatch))


def test_reference_is_the_first_protocol_that_ranks() -> None:
    values = pd.DataFrame({one.key: [0.1, 0.2] for one in PROTOCOLS})
    assert reference(values) == "dice_validation"
    values["dice_validation"] = [np.nan, 0.2]
    assert reference(values) == "dice_fpr_1"
    assert reference(values * np.nan) is None


def test_same_bytes_each_time(tmp_path) -> None:
    summary = summary_of(tmp_path, simulated())
    made = []
    for turn in ("1", "2"):
        draw_protocols(summary, tmp_path / f"{turn}.png", tmp_path / f"{turn}.pdf")
        made.append([(tmp_path / f"{turn}.{kind}").read_bytes() for kind in ("png", "pdf")])
    assert made[0] == made[1]


@pytest.mark.parametrize("make", [write_protocols, write_post_processing])
def test_convention_for_empty_masks_is_printed(toy, tmp_path, make) -> None:
    make(toy.summary, toy.bases, *(tmp_path / f"t.{kind}" for kind in ("csv", "tex", "html")), empty="metrics_reloaded")
    assert "evaluation.empty_masks: metrics_reloaded" in (tmp_path / "t.html").read_text()
