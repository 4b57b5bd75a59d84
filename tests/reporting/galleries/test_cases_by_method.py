from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from madad.core.io.hdf5 import Pack, write_pack
from madad.reporting.galleries.cases_by_method import ABOVE_THRESHOLD, draw_gallery, draw_side_by_side
from madad.reporting.layout import image_grid, style
from tests.reporting import seen
from tests.reporting.toy_results import OPTIONS

SCORING = {"erosion": 0, "median": 0, "min_component": 0}
IDENTITY = {"cohort": "phantom", "modality": "FLAIR", "method": "ddpm", "seed": "0", "testset": "phantom"}


def outlines(axes, colour: str) -> int:
    """How many contours of a colour a picture has."""
    return sum(to_hex(one.get_edgecolor()[0]) == to_hex(colour) for one in axes.collections)


def gallery(toy, monkeypatch, scoring=SCORING, **changed):
    figures, identity = seen.caught(monkeypatch), {**IDENTITY, **changed}
    maps, metrics = (toy.made.evaluation(name, **identity) for name in ("maps.h5", "metrics.tsv"))
    draw_gallery(maps, metrics, toy.made.packs(identity["testset"]), scoring, "x.png", "x.pdf")
    return figures[0]


def side_by_side(toy, monkeypatch, times: int, scoring=SCORING):
    figures = seen.caught(monkeypatch)
    shown = [{**IDENTITY, "method": method} for method in ("intensity", "ddpm")] * times
    maps, metrics = ([toy.made.evaluation(name, **run) for run in shown] for name in ("maps.h5", "metrics.tsv"))
    draw_side_by_side(maps, metrics, toy.made.packs("phantom"), scoring, "x.png", "x.pdf")
    return figures[0]


def pictured(figure) -> list:
    return [axes for axes in figure.axes if axes.images]


@pytest.mark.parametrize(("method", "columns"), [("ddpm", 4), ("intensity", 3)])
def test_gallery_has_three_cases_and_a_healthy_one(toy, monkeypatch, method: str, columns: int) -> None:
    figure = gallery(toy, monkeypatch, method=method)
    text = seen.words(figure)
    assert len(pictured(figure)) == 4 * columns
    assert all(words in text for words in ("best of 4", "median of 4", "worst of 4", "healthy, median of 4", "no lesion", "FPR"))
    assert ("Reconstruction" in text) == (method == "ddpm")


def without_masks(toy, folder):
    """The table and the packs of an evaluation whose patients have no reference mask, without healthy subjects."""
    rows = pd.read_csv(toy.made.evaluation("metrics.tsv", **IDENTITY), sep="\t", dtype=str, keep_default_na=False)
    known = rows["metric"].isin(("subject_score", "brain_ml", "seconds"))
    rows[(rows["group"] == "patient") & known].to_csv(folder / "metrics.tsv", sep="\t", index=False)
    with Pack(toy.made.packs("phantom")[1]) as pack:
        samples = [replace(pack.sample(index), lesion=np.zeros(pack.shape, dtype=bool)) for index in range(len(pack))]
        about = {"affine": pack.affine, "modality": pack.modality, "cohort": pack.cohort, "split": pack.split}
    write_pack(folder / "test.h5", iter(samples), **about)
    return folder / "metrics.tsv", [folder / "test.h5"]


@pytest.mark.parametrize("together", [False, True])
def test_patients_without_a_reference_mask_are_shown(toy, monkeypatch, tmp_path, together: bool) -> None:
    figures, (metrics, packs) = seen.caught(monkeypatch), without_masks(toy, tmp_path)
    maps = toy.made.evaluation("maps.h5", **IDENTITY)
    if together:
        draw_side_by_side([maps], [metrics], packs, SCORING, "x.png", "x.pdf")
    else:
        draw_gallery(maps, metrics, packs, SCORING, "x.png", "x.pdf")
    text = seen.words(figures[0])
    assert "no reference mask, median of 4" in text.replace("No ref", "no ref") and " ml" in text
    assert "o test subject" not in text and "no lesion" not in text
    assert "the one without a reference mask with the median score" in text
    assert [axes.images[0].cmap.name for axes in pictured(figures[0])].count(image_grid.MAP_COLOURS) == 1
    assert not any(outlines(axes, image_grid.OUTLINE) for axes in pictured(figures[0]))


def test_gallery_states_the_rule(toy, monkeypatch) -> None:
    text = seen.words(gallery(toy, monkeypatch))
    assert "Best, median and worst sample by AUPRC" in text
    assert "largest lesion area" in text and "highest 1 % of scores" in text


def test_pictures_of_a_gallery_have_one_scale_and_one_size(toy, monkeypatch) -> None:
    figure = gallery(toy, monkeypatch)
    maps = [axes.images[0] for axes in pictured(figure) if axes.images[0].cmap.name == image_grid.MAP_COLOURS]
    assert len(maps) == 4
    assert len({(one.norm.vmin, one.norm.vmax) for one in maps}) == 1
    assert len({axes.images[0].get_array().shape for axes in pictured(figure)}) == 1


def test_anterior_is_up_and_left_is_left(toy, monkeypatch) -> None:
    """The image shown is the stored slice with its rows turned: row 0 of a pack is posterior, column 0 the left side."""
    figure = gallery(toy, monkeypatch)
    shown = pictured(figure)[0].images[0].get_array()
    with Pack(toy.made.packs("phantom")[1]) as pack:
        slices = [pack.image(index)[s] for index in range(len(pack)) for s in range(pack.shape[0])]
        assert (np.diag(pack.affine)[:2] > 0).all()
    turned = [one[::-1] for one in slices]
    size = shown.shape
    found = [
        one[top : top + size[0], left : left + size[1]]
        for one in turned
        for top in range(one.shape[0] - size[0] + 1)
        for left in range(one.shape[1] - size[1] + 1)
    ]
    assert any(np.array_equal(shown, one) for one in found)


def test_lesion_is_outlined_on_map_and_reference(toy, monkeypatch) -> None:
    axes = pictured(gallery(toy, monkeypatch))
    assert [outlines(one, image_grid.OUTLINE) for one in axes[:4]] == [0, 0, 1, 1]
    assert [outlines(one, image_grid.OUTLINE) for one in axes[12:16]] == [0, 0, 0, 0]  # healthy


def test_what_lies_above_the_threshold_is_outlined_on_the_map(toy, monkeypatch) -> None:
    figure = gallery(toy, monkeypatch)
    assert [outlines(one, ABOVE_THRESHOLD) for one in pictured(figure)[:4]] == [0, 0, 1, 0]
    assert "White: above the threshold (validation)" in seen.words(figure) and "as stored" in seen.words(figure)


def test_maps_that_are_scored_otherwise_than_stored_are_shown_both_ways(toy, monkeypatch) -> None:
    chain = {key: OPTIONS[key] for key in SCORING}
    figure = gallery(toy, monkeypatch, chain)
    _, _, scored, raw, _ = pictured(figure)[:5]
    assert "As scored" in seen.words(figure) and "Raw" in seen.words(figure)
    assert not np.array_equal(scored.images[0].get_array(), raw.images[0].get_array())
    assert scored.images[0].norm is raw.images[0].norm and outlines(raw, ABOVE_THRESHOLD) == 0
    both = side_by_side(toy, monkeypatch, 1, chain)
    assert len(pictured(both)) == 4 * (2 + 2 * 2) and "ddpm, raw" in seen.words(both)


@pytest.mark.parametrize("times", [1, 6])
def test_side_by_side_fits_the_page_with_two_and_with_twelve_methods(toy, monkeypatch, times: int) -> None:
    figure = side_by_side(toy, monkeypatch, times)
    assert len(pictured(figure)) == 4 * (2 + 2 * times)
    assert figure.get_figwidth() <= style.PAGE + 0.01
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(box.x0 >= 0 and box.x1 <= 1.001 and box.y0 >= 0 and box.y1 <= 1.001 for box in boxes)
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])
    assert min(box.width * figure.get_figwidth() for box in boxes) > 1


def test_side_by_side_says_why_and_how_good(toy, monkeypatch) -> None:
    text = seen.words(side_by_side(toy, monkeypatch, 1))
    assert "Best of 4: sub-" in text and "Healthy, median of 4: sub-" in text
    assert text.count("numbers: AUPRC; mean 0.") == 3
    assert "numbers: FPR" in text


def test_each_method_has_one_scale_for_all_cases(toy, monkeypatch) -> None:
    figure = side_by_side(toy, monkeypatch, 1)
    tops = [axes.images[0].norm.vmax for axes in pictured(figure) if axes.images[0].cmap.name == image_grid.MAP_COLOURS]
    assert tops[0::2] == [tops[0]] * 4 and tops[1::2] == [tops[1]] * 4
    assert tops[0] != tops[1]


def test_galleries_are_the_same_bytes_each_time(toy, tmp_path) -> None:
    maps, metrics = (toy.made.evaluation(name, **IDENTITY) for name in ("maps.h5", "metrics.tsv"))
    for turn in ("a", "b"):
        draw_gallery(maps, metrics, toy.made.packs("phantom"), SCORING, tmp_path / f"{turn}.png", tmp_path / f"{turn}.pdf")
    for kind in ("png", "pdf"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_gallery_without_a_test_pack_is_a_defect(toy, tmp_path) -> None:
    maps = toy.made.evaluation("maps.h5", **IDENTITY)
    with pytest.raises(ValueError, match="is a test pack"):
        draw_gallery(maps, tmp_path, toy.made.packs("phantom")[:1], SCORING, tmp_path / "g.png", tmp_path / "g.pdf")


@pytest.mark.parametrize(("number", "most", "columns"), [(1, 7, 1), (7, 7, 7), (8, 7, 4), (10, 7, 5), (14, 7, 7), (15, 7, 5)])
def test_rows_are_equally_full(number: int, most: int, columns: int) -> None:
    assert image_grid.fold(number, most) == columns
