"""Scores of single slices: against straight versions with scikit-learn on whole images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from madad.evaluation.metrics.ordinal_scores import to_ordinals
from madad.evaluation.protocol.paper_slices import PooledSlices, choose, count_slices, mean_dice
from madad.evaluation.results.protocol_table import SLICES
from tests.evaluation.cases import BRAIN, FULL, PLAIN, Case


def places(choice: str, lesion: np.ndarray) -> list[int]:
    return np.flatnonzero(choose(choice, lesion, np.ones_like(lesion))).tolist()


def test_choices_of_slices() -> None:
    lesion = np.zeros((155, 4, 4), dtype=bool)
    lesion[60, 0, :2], lesion[120, 0, :3] = True, True
    assert places("mid_slice", lesion) == [77]
    assert places("middle_slices", lesion) == list(range(70, 90))
    assert places("largest_slice", lesion) == [120]
    assert places("largest_slice", np.zeros_like(lesion)) == []
    assert np.flatnonzero(choose("every_slice", lesion, lesion)).tolist() == [60, 120]


@pytest.mark.parametrize("choice", SLICES)
def test_of_a_single_slice_there_is_nothing_to_choose(choice: str) -> None:
    assert places(choice, np.ones((1, 4, 4), dtype=bool)) == [0]


def test_slice_without_a_lesion_is_right_where_nothing_is_predicted() -> None:
    scores = np.array([[[0.5, 0.1]], [[0.4, 0.3]]])
    brain, lesion = np.ones(scores.shape, dtype=bool), np.array([[[True, False]], [[False, False]]])
    pool = PooledSlices()
    pool.add(count_slices(to_ordinals(scores), brain, lesion, pixels=2, pixel_mm2=1.0))
    # from 0.4 on nothing is predicted in the second slice, and the first is right until 0.5
    assert pool.best == int(to_ordinals(np.array([0.4]))[0]) and pool.curve.max() / pool.number == 1
    assert mean_dice(scores > 0.4, lesion) == 1
    assert mean_dice(scores > 0.35, lesion) == 0.5


def test_strata_are_by_the_area_of_the_lesion_in_the_slice() -> None:
    lesion = np.zeros((3, 1, 1000), dtype=bool)
    lesion[0, 0, :3], lesion[1, 0, :4], lesion[2, 0, :600] = True, True, True
    scores = lesion + 0.01 * np.arange(1000)
    own = count_slices(to_ordinals(scores), np.ones_like(lesion), lesion, pixels=1000, pixel_mm2=4.0)
    # 12 mm² are below the smallest stratum
    assert {name: int(tally.counts[1].sum()) for name, tally in own.strata.items()} == {"small": 4, "large": 600}


def test_every_number_of_the_middle_slice(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    rows = case.rows({**PLAIN, "slices": ["mid_slice"]})
    found = {(one["protocol"], one["metric"], one["sample"]): float(one["value"]) for one in rows}
    place, maps = 4, {}
    for sample in case.samples["test"][2:]:
        noise = np.random.default_rng(len(sample.name)).random(BRAIN.shape)
        scores = np.where(BRAIN, noise + 0.4 * sample.lesion, 0).astype(np.float32)[place]
        maps[sample.name] = scores, sample.lesion[place]
    scores, lesion = (np.stack([one[part] for one in maps.values()]) for part in (0, 1))
    inside = np.stack([BRAIN[place]] * 2)
    cuts = np.unique(scores)
    assert found["mid_slice", "dice_slice", ""] == pytest.approx(max(mean_dice((scores > cut) & inside, lesion) for cut in cuts))
    pooled = max(mean_dice((scores > cut).reshape(1, 1, -1), lesion.reshape(1, 1, -1)) for cut in cuts)
    assert found["mid_slice", "dice_pooled", ""] == pytest.approx(pooled)
    assert found["mid_slice", "auprc", ""] == pytest.approx(average_precision_score(lesion[inside], scores[inside]))
    whole = average_precision_score(lesion.ravel(), scores.ravel())
    assert found["mid_slice_background", "auprc", ""] == pytest.approx(whole)
    # 16 pixels of 4 mm²
    assert found["mid_slice_small", "dice_pooled", ""] == found["mid_slice", "dice_pooled", ""]
    assert np.isnan(found["mid_slice_large", "dice_pooled", ""])
    cut = found["mid_slice", "threshold", ""]
    for name, (own, shown) in maps.items():
        assert found["mid_slice", "dice_slice", name] == pytest.approx(mean_dice((own > cut)[None], shown[None]))


def test_slices_are_scored_where_they_are_asked_for_alone(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    plain = case.rows(PLAIN)
    asked = case.rows({**PLAIN, "slices": ["largest_slice"]})
    assert [row for row in asked if not row["protocol"].startswith("largest_slice")] == plain
