from __future__ import annotations

import pandas as pd
import pytest

from madad.reporting.figures.comparison import draw_comparison
from madad.reporting.layout import style
from tests.reporting import seen, wide_results


def drawn(made, monkeypatch, tmp_path):
    figures = seen.caught(monkeypatch)
    draw_comparison(made.summary, made.metrics, "x.png", "x.pdf", tmp_path / "fragment.html")
    return figures[0]


def test_methods_and_test_sets_stand_as_in_the_configuration(wide, monkeypatch, tmp_path) -> None:
    figure = drawn(wide, monkeypatch, tmp_path)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(wide.methods)
    headings = [band.get_suptitle() for band in figure.subfigs]
    assert [heading.split(",")[0].removeprefix("own → ") for heading in headings] == list(wide.testsets)


def test_n_is_in_every_heading(wide, monkeypatch, tmp_path) -> None:
    assert seen.words(drawn(wide, monkeypatch, tmp_path)).count("(n = 5 subjects)") == len(wide.testsets)


def test_twelve_methods_and_four_test_sets_do_not_collide(wide, monkeypatch, tmp_path) -> None:
    assert seen.collisions(drawn(wide, monkeypatch, tmp_path)) == []


def test_every_method_has_its_mean_and_interval(monkeypatch, tmp_path) -> None:
    wide = wide_results.build(tmp_path, methods=("intensity", "ddpm", "other"), testsets=("own",), subjects=8)
    figure = drawn(wide, monkeypatch, tmp_path)
    summary = pd.read_csv(wide.summary).set_index(["testset", "measure", "method"])
    for place, (method, colour) in enumerate(style.colours(wide.methods).items()):
        bars = [box for box in figure.axes[0].containers if box.lines[0].get_color() == colour]
        value, low, high = summary.loc[(wide.testsets[0], "auprc", method), ["value", "low", "high"]]
        assert len(bars) == 1, place
        assert bars[0].lines[0].get_xdata()[0] == pytest.approx(value)
        assert bars[0].lines[2][0].get_segments()[0][:, 0] == pytest.approx([low, high])


def test_chance_is_marked_where_it_lies(wide, monkeypatch, tmp_path) -> None:
    auprc, auroc = drawn(wide, monkeypatch, tmp_path).axes[:2]

    def dashed(axes) -> list[float]:
        return [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--" and len(set(line.get_xdata())) == 1]

    assert dashed(auprc) == pytest.approx([0.03])
    assert dashed(auroc) == [0.5]


def test_measure_without_a_threshold_is_said(monkeypatch, tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("intensity",), testsets=("own",), seeds=("0",), subjects=1)
    table = pd.read_csv(made.metrics, keep_default_na=False)
    table.loc[(table["metric"] == "dice") & (table["protocol"] == "validation"), "value"] = float("nan")
    table.to_csv(made.metrics, index=False, na_rep="nan")
    wide_results.summarise(made.metrics, made.summary)
    text = seen.words(drawn(made, monkeypatch, tmp_path))
    assert "no threshold\nunder this protocol" in text
    assert "(n = 1 subject)" in text


def test_shares_begin_at_zero(wide, monkeypatch, tmp_path) -> None:
    for axes in drawn(wide, monkeypatch, tmp_path).axes:
        if axes.get_title(loc="left") != "AUROC":
            assert -0.05 < axes.get_xlim()[0] <= 0


def test_many_dots_become_one_picture(monkeypatch, tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("intensity",), testsets=("own",), seeds=("0",), subjects=40)
    monkeypatch.setattr("madad.reporting.figures.comparison.MOST_DOTS", 100)
    figure = drawn(made, monkeypatch, tmp_path)
    dots = figure.axes[0].collections
    assert dots and dots[0].get_rasterized()
