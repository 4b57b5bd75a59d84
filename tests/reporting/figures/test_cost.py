from __future__ import annotations

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from madad.core.seeds import numpy_generator
from madad.reporting.figures.cost import _cost_axis, draw_frontier, pareto
from madad.reporting.layout import style
from tests.reporting import seen


def test_pareto_front_by_hand() -> None:
    points = {"cheap": (1, 0.2), "dear": (9, 0.9), "middle": (3, 0.5), "beaten": (4, 0.5), "worse": (2, 0.1)}
    assert pareto(points) == ["cheap", "middle", "dear"]


def test_pareto_front_of_random_points_is_what_nobody_dominates() -> None:
    drawn = numpy_generator("pareto").random((60, 2))
    front = pareto({str(place): tuple(point) for place, point in enumerate(drawn)})
    for place, (cost, quality) in enumerate(drawn):
        dominated = ((drawn[:, 0] <= cost) & (drawn[:, 1] >= quality) & (drawn != [cost, quality]).any(axis=1)).any()
        assert (str(place) in front) != dominated
    costs = [drawn[int(name), 0] for name in front]
    assert costs == sorted(costs)


def test_equals_share_the_front_and_unknown_costs_take_no_part() -> None:
    assert pareto({"a": (1, 0.5), "b": (1, 0.5), "c": (np.nan, 0.9), "d": (0, np.nan)}) == ["a", "b"]


@pytest.fixture
def figure(wide, monkeypatch):
    figures = seen.caught(monkeypatch)
    draw_frontier(wide.summary, wide.trainings, "x.png", "x.pdf")
    return figures[0]


def test_a_row_of_three_costs_a_test_set_with_n(wide, figure) -> None:
    assert len(figure.axes) == 3 * len(wide.testsets)
    assert [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()] == [
        "Time (s/volume)",
        "Peak memory (MB)",
        "Number of weights",
    ]
    assert seen.words(figure).count("(n = 5 subjects)") == len(wide.testsets)


def test_methods_without_weights_stand_at_zero(figure) -> None:
    weights = figure.axes[-1]
    assert weights.get_xticklabels()[0].get_text() == "0"
    assert weights.get_xlim()[0] < weights.get_xticks()[0] < 1e6


def test_legend_names_every_method_and_covers_nothing(wide, figure) -> None:
    figure.canvas.draw()
    legend = figure.legends[0]
    assert {text.get_text() for text in legend.get_texts()} == {*wide.methods, "Pareto front", "beaten"}
    assert not any(legend.get_window_extent().overlaps(axes.get_window_extent()) for axes in figure.axes)
    assert seen.collisions(figure) == []


def test_the_front_is_filled_and_the_others_are_hollow(wide, figure) -> None:
    summary = pd.read_csv(wide.summary)
    first = summary[summary["testset"] == figure.axes[0].get_title(loc="left").split(",")[0].removeprefix("own → ")]
    wanted = first[first["measure"].isin(["auprc", "seconds"])].pivot(index="method", columns="measure", values="value")
    front = pareto({name: (line["seconds"], line["auprc"]) for name, line in wanted.iterrows()})
    colour = style.colours(wide.methods)
    filled = [line for line in figure.axes[0].lines if line.get_marker() != "None" and line.get_markerfacecolor() != "white"]
    assert {line.get_color() for line in filled} == {colour[name] for name in front}


def test_unknown_number_of_weights_is_said(wide, monkeypatch, tmp_path) -> None:
    figures = seen.caught(monkeypatch)
    about = json.loads(wide.trainings[0].read_text())
    del about["parameter_count"]
    (tmp_path / "t.json").write_text(json.dumps(about))
    draw_frontier(wide.summary, [tmp_path / "t.json"], "x.png", "x.pdf")
    assert seen.words(figures[0]).count("not recorded") == len(wide.testsets)


@pytest.mark.parametrize("costs", [[0.51], [1.01, 2.4], [0.02, 7.3], [250, 900], [0, 3e5, 3e6], [1e-3, 1e4]])
def test_every_cost_axis_has_a_scale(costs: list[float]) -> None:
    _, axes = plt.subplots()
    nothing = _cost_axis(axes, pd.Series(costs, dtype=float))
    low, high = axes.get_xlim()
    numbers = [tick for tick in axes.get_xticks() if tick != nothing]
    assert 2 <= len(numbers) <= 9
    assert all(low <= tick <= high for tick in axes.get_xticks())
    assert low < min(cost or nothing for cost in costs) and max(costs) < high


def test_costs_that_are_all_nothing_have_one_tick() -> None:
    _, axes = plt.subplots()
    nothing = _cost_axis(axes, pd.Series([0.0, 0.0]))
    assert list(axes.get_xticks()) == [nothing]
