from __future__ import annotations

import json

import pandas as pd
import pytest

from madad.reporting.figures import curves
from madad.reporting.layout import style
from tests.reporting import seen, wide_results


def drawn(monkeypatch, name: str, *inputs):
    figures = seen.caught(monkeypatch)
    getattr(curves, f"draw_{name}")(*inputs, "x.png", "x.pdf")
    return figures[0]


def test_every_curve_has_its_colour_line_and_marker(wide, monkeypatch) -> None:
    figure = drawn(monkeypatch, "precision_recall", wide.metrics)
    colour, marker = style.colours(wide.methods), style.markers(wide.methods)
    looks = {(line.get_color(), line.get_marker()) for line in figure.axes[0].lines}
    assert looks >= {(colour[name], marker[name]) for name in wide.methods}
    assert [axes.get_title(loc="left").split(",")[0].removeprefix("own → ") for axes in figure.axes] == list(wide.testsets)


def test_precision_recall_says_n_and_chance(wide, monkeypatch) -> None:
    figure = drawn(monkeypatch, "precision_recall", wide.metrics)
    assert seen.words(figure).count("(n = 5 subjects)") == len(wide.testsets)
    dotted = [
        line.get_ydata()[0] for line in figure.axes[0].lines if line.get_linestyle() == ":" and line.get_color() == style.GREY
    ]
    assert dotted == pytest.approx([0.1])  # precision where everything is called abnormal
    assert "chance" in {text.get_text() for text in figure.legends[0].get_texts()}


@pytest.mark.parametrize("name", ["precision_recall", "score_distributions"])
def test_twelve_methods_and_four_test_sets_do_not_collide(wide, monkeypatch, name: str) -> None:
    figure = drawn(monkeypatch, name, wide.metrics)
    assert seen.collisions(figure) == []
    assert figure.get_figwidth() <= style.PAGE + 1


def test_distributions_have_a_row_a_method_and_a_column_a_test_set(wide, monkeypatch) -> None:
    figure = drawn(monkeypatch, "score_distributions", wide.metrics)
    assert figure.axes[0].get_gridspec().get_geometry() == (len(wide.methods), len(wide.testsets))
    names = [axes.texts[0].get_text() for axes in figure.axes]
    assert names == [method for method in wide.methods for _ in wide.testsets]


def test_methods_on_one_test_set_are_wrapped(monkeypatch, tmp_path) -> None:
    made = wide_results.build(tmp_path, testsets=("own",), seeds=("0",))
    figure = drawn(monkeypatch, "score_distributions", made.metrics)
    assert figure.axes[0].get_gridspec().get_geometry() == (3, 4)
    assert seen.collisions(figure) == []


def test_empty_map_is_said(monkeypatch, tmp_path) -> None:
    made = wide_results.build(tmp_path, methods=("intensity", "ddpm"), testsets=("own",), seeds=("0",))
    table = pd.read_csv(made.metrics, keep_default_na=False)
    flat = table["protocol"].str.startswith("pooled_score") & (table["method"] == "ddpm")
    table.loc[flat, "protocol"] = [f"pooled_score_{1e-8 * (place % 20 + 1):.3g}" for place in range(flat.sum())]
    table.to_csv(made.metrics, index=False)
    assert seen.words(drawn(monkeypatch, "score_distributions", made.metrics)).count("every score is 0") == 1


def test_training_has_one_legend_and_a_colour_a_seed(monkeypatch, tmp_path) -> None:
    histories, trainings = [], []
    for method in ("ddpm", "vae3d"):
        for seed in (0, 1, 10):
            stem = tmp_path / f"{method}{seed}"
            stem.with_suffix(".csv").write_text("step,loss,validation_loss\n1,5,6\n2,0.2,\n3,0.1,0.3\n")
            identity = {"method": method, "cohort": "own", "modality": "T1w", "seed": seed}
            stem.with_suffix(".json").write_text(json.dumps({"identity": identity}))
            histories.append(stem.with_suffix(".csv"))
            trainings.append(stem.with_suffix(".json"))
    figures, table = seen.caught(monkeypatch), tmp_path / "numbers.csv"
    curves.draw_training(histories, trainings, "x.png", "x.pdf", table)
    figure = figures[0]
    written = pd.read_csv(table)
    assert list(written.columns[:6]) == ["method", "cohort", "modality", "seed", "step", "loss"] and len(written) == 3 * 6
    assert set(zip(written["method"], written["seed"], strict=True)) == {(m, s) for m in ("ddpm", "vae3d") for s in (0, 1, 10)}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "seed 0",
        "seed 1",
        "seed 10",
        "training",
        "healthy validation",
    ]
    assert len({line.get_color() for line in figure.axes[0].lines}) == 3
    assert figure.axes[0].get_yscale() == "log"
    assert not any(axes.get_legend() for axes in figure.axes)
