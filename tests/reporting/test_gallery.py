from __future__ import annotations

import numpy as np
import pytest
from matplotlib import image as picture

from madad.reporting.gallery import choose_cases, draw_gallery, draw_side_by_side, lesion_slice


def test_cases_are_chosen_by_rank() -> None:
    cases = choose_cases({"a": 0.1, "b": 0.9, "c": 0.5, "d": np.nan})
    assert [(case.why, case.name) for case in cases] == [("best", "b"), ("median", "c"), ("worst", "a")]


def test_equal_cases_are_ordered_by_name() -> None:
    assert choose_cases({"b": 0.5, "a": 0.5, "c": 0.5})[0].name == "a"


@pytest.mark.parametrize(("number", "whys"), [(0, []), (1, ["only"]), (2, ["best", "worst"])])
def test_few_subjects_make_few_cases(number: int, whys: list[str]) -> None:
    assert [case.why for case in choose_cases({str(n): float(n) for n in range(number)})] == whys


def test_slice_with_the_largest_lesion() -> None:
    lesion = np.zeros((5, 4, 4), dtype=bool)
    lesion[1, 0, 0] = lesion[3, :2, 0] = True
    assert lesion_slice(lesion, np.ones_like(lesion)) == 3


def test_middle_of_the_brain_without_a_lesion() -> None:
    brain = np.zeros((9, 4, 4), dtype=bool)
    brain[4:9] = True
    assert lesion_slice(np.zeros_like(brain), brain) == 6


@pytest.mark.parametrize("method", ["ddpm", "intensity"])
def test_gallery_with_and_without_reconstruction(toy, tmp_path, method: str) -> None:
    identity = {"cohort": "phantom", "modality": "FLAIR", "method": method, "seed": "0", "testset": "phantom"}
    maps, metrics = (toy.made.evaluation(name, **identity) for name in ("maps.h5", "metrics.tsv"))
    draw_gallery(maps, metrics, toy.made.packs("phantom"), tmp_path / "g.png", tmp_path / "g.pdf")
    height, width = picture.imread(tmp_path / "g.png").shape[:2]
    assert min(height, width) > 300


def test_methods_side_by_side(toy, tmp_path) -> None:
    shown = [run for run in toy.made.evaluations() if run["testset"] == "phantom-implanted" and run["seed"] == "0"]
    maps, metrics = ([toy.made.evaluation(name, **run) for run in shown] for name in ("maps.h5", "metrics.tsv"))
    draw_side_by_side(maps, metrics, toy.made.packs("phantom-implanted"), tmp_path / "s.png", tmp_path / "s.pdf")
    assert (tmp_path / "s.png").exists()


def test_gallery_without_a_test_pack_is_a_defect(toy, tmp_path) -> None:
    maps = toy.made.evaluation("maps.h5", **toy.made.evaluations()[0])
    with pytest.raises(ValueError, match="is a test pack"):
        draw_gallery(maps, tmp_path, toy.made.packs("phantom")[:1], tmp_path / "g.png", tmp_path / "g.pdf")
