"""The role of noise: which cell a law has, and that nothing runs into anything else."""

from __future__ import annotations

import numpy as np
import pytest

from madad.evaluation.statistics.summary import read_summary
from madad.reporting.figures.noise_study import draw_noise_study, draw_noised, settings_of
from tests.reporting import seen, wide_results


def law(kind: str = "coarse", resolution: int = 16, magnitude: float = 0.2) -> dict:
    return {"noise_kind": kind, "noise_resolution": resolution, "noise_magnitude": magnitude}


LAWS = {
    **{f"c{r}{m}": law("coarse", r, m) for r in (4, 16, 32) for m in (0.1, 0.2, 0.4)},
    **{f"g{m}": law("gaussian", 16, m) for m in (0.1, 0.4)},
    "s": law("simplex"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    return wide_results.build(folder, methods=("intensity", *LAWS), testsets=("own", "tumours"), seeds=("0",), subjects=6)


@pytest.fixture
def figure(made, monkeypatch):
    figures = seen.caught(monkeypatch)
    draw_noise_study(made.summary, LAWS, "x.png", "x.pdf")
    return figures[0]


def test_a_row_a_test_set_and_a_column_a_kind(figure) -> None:
    assert len(figure.axes) == 2 * 3
    titles = [axes.get_title() or axes.get_title(loc="left") for axes in figure.axes[:3]]
    assert [title.split("\n")[-1] for title in titles] == ["Coarse noise", "Simplex noise", "Gaussian noise"]
    ticks = [[label.get_text() for label in axes.get_xticklabels()] for axes in figure.axes[:3]]
    assert ticks == [["4", "16", "32"], ["16"], ["every voxel"]]


def test_cells_hold_the_summary(made, figure) -> None:
    lines = read_summary(made.summary)
    own = lines[(lines["testset"] == "own") & (lines["measure"] == "auprc")].set_index("method")["value"]
    (shown,) = figure.axes[0].get_images()
    assert shown.get_array()[1, 2] == pytest.approx(own["c320.2"])  # magnitudes upwards, resolutions to the right
    (gaussian,) = figure.axes[2].get_images()
    assert gaussian.get_array()[2, 0] == pytest.approx(own["g0.4"]) and np.ma.getmaskarray(gaussian.get_array())[1, 0]
    (said,) = [text.get_text() for text in figure.axes[0].texts if text.get_position() == (2, 1)]
    assert said.startswith(f"{own['c320.2']:.3f}\n[")


def test_no_texts_run_into_each_other(figure) -> None:
    assert not seen.collisions(figure)


def test_gaussian_noise_has_no_resolution() -> None:
    assert settings_of(law("gaussian", 4)) == settings_of(law("gaussian", 32)) != settings_of(law("gaussian", 4, 0.3))


def test_without_results_it_says_so(made, monkeypatch) -> None:
    figures = seen.caught(monkeypatch)
    draw_noise_study(made.summary, {"unknown": law()}, "x.png", "x.pdf")
    assert "No evaluation" in seen.words(figures[0])


def test_pictures_of_every_noise(tmp_path, monkeypatch) -> None:
    np.savez(tmp_path / "noised.npz", clean=np.zeros((8, 6)), **{name: np.ones((8, 6)) for name in LAWS})
    figures = seen.caught(monkeypatch)
    draw_noised(tmp_path / "noised.npz", LAWS, "x.png", "x.pdf")
    said = seen.words(figures[0])
    assert "Without noise" in said and "coarse, 16 points,\nmagnitude 0.2" in said and "gaussian,\nmagnitude 0.4" in said
    assert not seen.collisions(figures[0])
