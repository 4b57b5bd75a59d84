from __future__ import annotations

import numpy as np
import pytest

from madad.reporting.galleries.mean_maps import HEIGHTS, draw_mean_maps
from madad.reporting.layout import style
from tests.reporting import seen

BLOCK = {"cohort": "own", "modality": "T1w", "testset": "own"}
SHAPE = (11, 20, 16)


def brain() -> np.ndarray:
    share = np.zeros(SHAPE, dtype=np.float32)
    share[0:11, 4:17, 3:13] = 1.0
    share[:, 3, 3:13] = 0.2
    return share


def stored(folder, name: str, *, residual: float | None = 0.1, score: float = 0.5, number: int = 7, where=()) -> str:
    arrays = {"score": score * (brain() > 0), "brain": brain(), "affine": np.eye(4), "number": number}
    if residual is not None:
        arrays["residual"] = residual * (brain() > 0)
    for index in where:
        arrays["score"][index] = 4 * score
    np.savez_compressed(folder / f"{name}.npz", **arrays)
    return folder / f"{name}.npz"


def drawn(monkeypatch, files, methods):
    figures = seen.caught(monkeypatch)
    draw_mean_maps(files, methods, **BLOCK, png="x.png", pdf="x.pdf")
    return figures[0]


def images(figure, colours: str) -> list:
    return [axes.images[0] for axes in figure.axes if axes.images and axes.images[0].cmap.name == colours]


def test_residual_and_map_in_three_slices_with_n(tmp_path, monkeypatch) -> None:
    figure = drawn(monkeypatch, [stored(tmp_path, "a"), stored(tmp_path, "b")], ["ddpm", "vae3d"])
    assert len(images(figure, "viridis")) == len(images(figure, "inferno")) == 2 * len(HEIGHTS)
    text = seen.words(figure)
    assert "Healthy test subjects of own, T1w (n = 7)" in text
    assert "ddpm" in text and "vae3d" in text and "image intensity" in text


def test_one_colour_scale_a_kind(tmp_path, monkeypatch) -> None:
    figure = drawn(monkeypatch, [stored(tmp_path, "a", residual=0.1), stored(tmp_path, "b", residual=0.4)], ["a", "b"])
    for colours in ("viridis", "inferno"):
        assert len({(one.norm.vmin, one.norm.vmax) for one in images(figure, colours)}) == 1
    assert images(figure, "viridis")[0].norm.vmax == pytest.approx(0.4)


def test_maps_of_different_units_look_alike(tmp_path, monkeypatch) -> None:
    """Divided by its own mean, a map does not depend on the unit of its scores."""
    figure = drawn(monkeypatch, [stored(tmp_path, "a", score=0.01), stored(tmp_path, "b", score=100.0)], ["a", "b"])
    small, large = images(figure, "inferno")[:3], images(figure, "inferno")[3:]
    for one, other in zip(small, large, strict=True):
        np.testing.assert_allclose(one.get_array(), other.get_array(), rtol=1e-5)
    assert np.ma.median(small[0].get_array()) == pytest.approx(1)


def test_systematic_error_is_bright_where_it_is(tmp_path, monkeypatch) -> None:
    place = (5, 15, 4)  # middle slice, anterior, left
    figure = drawn(monkeypatch, [stored(tmp_path, "a", where=[place])], ["a"])
    shown = images(figure, "inferno")[1].get_array()
    row, column = np.unravel_index(np.ma.argmax(shown), shown.shape)
    assert row < shown.shape[0] / 2 and column < shown.shape[1] / 2  # up and to the left


def test_paper_shows_where_nobody_has_brain(tmp_path, monkeypatch) -> None:
    shown = images(drawn(monkeypatch, [stored(tmp_path, "a")], ["a"]), "inferno")[0].get_array()
    assert shown.mask[0].all() and not shown.mask[shown.shape[0] // 2, shown.shape[1] // 2]


def test_missing_reconstruction_and_empty_map_are_said(tmp_path, monkeypatch) -> None:
    figure = drawn(monkeypatch, [stored(tmp_path, "a", residual=None), stored(tmp_path, "b", score=0.0)], ["intensity", "b"])
    text = seen.words(figure)
    assert text.count("no reconstruction") == text.count("every score is 0") == 1


def test_no_healthy_subject_is_said(tmp_path, monkeypatch) -> None:
    figure = drawn(monkeypatch, [stored(tmp_path, "a", number=0)], ["a"])
    assert "no healthy test subject" in seen.words(figure)


def test_twelve_methods_fit_the_page(tmp_path, monkeypatch) -> None:
    methods = [f"a_rather_long_name_of_a_method_{place:02d}" for place in range(12)]
    figure = drawn(monkeypatch, [stored(tmp_path, name) for name in methods], methods)
    assert figure.get_figwidth() <= style.PAGE + 0.01 and figure.get_figheight() < 13
    assert seen.collisions(figure) == []
    boxes = [axes.get_position() for axes in figure.axes]
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_the_evaluation_writes_what_is_drawn(toy, monkeypatch) -> None:
    identity = {"cohort": "phantom", "modality": "FLAIR", "method": "ddpm", "seed": "0", "testset": "phantom"}
    path = toy.made.evaluation("mean_maps.npz", **identity)
    assert "(n = 4)" in seen.words(drawn(monkeypatch, [path], ["ddpm"]))
