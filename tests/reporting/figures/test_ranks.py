from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from madad.reporting.figures import ranks
from madad.reporting.figures.ranks import draw_critical_difference, draw_rank_probabilities
from madad.reporting.layout import style
from madad.reporting.tables.significance import write_significance
from tests.reporting.long_rows import DICE, graded, of_samples, untrained, write

BRATS = ("own", "T1w", "brats")
TWELVE = [f"method_number_{place}" for place in range(12)]


def drawn(folder: Path, rows, monkeypatch) -> list[plt.Figure]:
    """Both figures, kept before they are forgotten."""
    figures = []
    monkeypatch.setattr(style, "save", lambda figure, *paths, **_: figures.append(figure))
    write_significance(write(folder / "m.csv", rows), 200, folder / "c.csv", folder / "r.csv", trained=untrained(rows))
    draw_critical_difference(folder / "c.csv", folder / "r.csv", folder / "a.png", folder / "a.pdf")
    draw_rank_probabilities(folder / "r.csv", folder / "b.png", folder / "b.pdf")
    return figures


def texts(figure: plt.Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title, axes._left_title)]


def rows_of(values: dict, **options) -> list[tuple]:
    return [row for name, own in values.items() for row in of_samples(name, own, **options)]


def test_every_method_is_named_once_a_panel_without_overlap(tmp_path, monkeypatch) -> None:
    diagram, _ = drawn(tmp_path, rows_of(graded(TWELVE, 20, step=0.004)), monkeypatch)
    diagram.canvas.draw()
    for axes in diagram.axes:
        named = [text for text in axes.texts if "method_number" in text.get_text()]
        assert len(named) == 12
        boxes = [text.get_window_extent() for text in named]
        assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
        inside = diagram.bbox
        assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)


def test_bar_joins_what_no_test_tells_apart(tmp_path, monkeypatch) -> None:
    values = graded("abc", 14, step=0.2)
    values["b"] = values["a"] + np.where(np.arange(14) % 2, 0.01, -0.01)
    diagram, _ = drawn(tmp_path, rows_of(values), monkeypatch)
    bars = [line for line in diagram.axes[0].lines if line.get_color() == "black" and line.get_linewidth() == 1.8]
    assert len(bars) == 1
    assert tuple(bars[0].get_xdata()) == pytest.approx((2.5, 2.5), abs=0.01)  # a and b, half of the subjects each


def test_bars_lie_apart() -> None:
    lines = ranks._packed([[1.0, 3.0], [2.0, 4.0], [3.8, 6.0], [7.0, 8.0]])
    assert lines == [[[1.0, 3.0], [3.8, 6.0], [7.0, 8.0]], [[2.0, 4.0]]]


def test_panels_are_test_sets_by_measures_and_all_together(tmp_path, monkeypatch) -> None:
    values = graded("abc", 9)
    rows = rows_of(values) + rows_of(values, block=BRATS) + rows_of(values, what=DICE) + rows_of(values, what=DICE, block=BRATS)
    for figure in drawn(tmp_path, rows, monkeypatch):
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        assert titles[-2:] == ["All test sets: AUPRC (n = 18)", "All test sets: Dice, validation (n = 18)"]
        assert len(titles) == 6


def test_measure_on_one_test_set_only_leaves_a_panel_that_says_so(tmp_path, monkeypatch) -> None:
    values = graded("abc", 9)
    rows = rows_of(values) + rows_of(values, block=BRATS) + rows_of(values, what=DICE)
    for figure in drawn(tmp_path, rows, monkeypatch):
        assert "values on one test set only" in texts(figure)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"a": [0.1], "b": [0.2]}, "one subject only"),
        ({"a": [0.1, 0.3, 0.4]}, "one method only"),
        ({"a": [np.nan], "b": [np.nan]}, "no value here"),
    ],
)
def test_panel_without_a_comparison_says_why(values: dict, said: str, tmp_path, monkeypatch) -> None:
    for figure in drawn(tmp_path, rows_of(values), monkeypatch):
        assert any(text.startswith(said) for text in texts(figure))


def test_empty_panels_are_low(tmp_path, monkeypatch) -> None:
    values = graded(TWELVE, 9)
    nothing = {name: [0.1] for name in values}
    for figure in drawn(tmp_path, rows_of(values) + rows_of(nothing, block=BRATS), monkeypatch):
        figure.canvas.draw()
        brats, own = (axes.get_window_extent().height for axes in figure.axes[:2])
        assert brats < 0.5 * own


def test_too_few_subjects_are_said_in_the_diagram(tmp_path, monkeypatch) -> None:
    diagram, _ = drawn(tmp_path, rows_of(graded("abc", 4)), monkeypatch)
    assert any("no adjusted p can lie below" in text for text in texts(diagram))


def test_nothing_to_draw_is_said(tmp_path, monkeypatch) -> None:
    assert all("No evaluation yet" in texts(figure) for figure in drawn(tmp_path, [], monkeypatch))


def test_heat_map_holds_the_probabilities_in_per_cent(tmp_path, monkeypatch) -> None:
    _, heat = drawn(tmp_path, rows_of(graded("abc", 12, step=0.3)), monkeypatch)
    assert [text.get_text() for text in heat.axes[0].texts] == ["100"] * 3
    assert [label.get_text() for label in heat.axes[0].get_yticklabels()] == ["c", "b", "a"]


def test_same_bytes_each_time(tmp_path) -> None:
    write_significance(write(tmp_path / "m.csv", rows_of(graded("abc", 9))), 200, tmp_path / "c.csv", tmp_path / "r.csv")
    for turn in ("1", "2"):
        (tmp_path / turn).mkdir()
        draw_critical_difference(tmp_path / "c.csv", tmp_path / "r.csv", tmp_path / turn / "a.png", tmp_path / turn / "a.pdf")
        draw_rank_probabilities(tmp_path / "r.csv", tmp_path / turn / "b.png", tmp_path / turn / "b.pdf")
    for name in ("a.png", "a.pdf", "b.png", "b.pdf"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
