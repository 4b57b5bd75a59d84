"""Detection of subjects over resamples, where a lesion is implanted into the very brain it is compared with."""

from __future__ import annotations

import numpy as np
import pytest

from madad.evaluation.metrics.subject_metrics import rank_auroc
from madad.evaluation.protocol.test_set_metrics import _resampled_auroc
from madad.evaluation.statistics.bootstrap import percentile_interval

SUBJECTS = np.array([f"sub-{number}" for number in range(12)] * 2, dtype=object)
DISEASED = np.arange(24) >= 12


def scores(seed: int) -> np.ndarray:
    """Healthy brains differ a lot; a lesion adds a little to each."""
    generator = np.random.default_rng(seed)
    healthy = generator.standard_normal(12)
    return np.concatenate([healthy, healthy + generator.uniform(0.05, 0.2, 12)])


def test_every_subject_once_is_the_auroc_itself() -> None:
    values = scores(0)
    drawn = _resampled_auroc(values, DISEASED, SUBJECTS)(np.ones((1, 24), dtype=int))
    assert drawn[0] == pytest.approx(rank_auroc(values[~DISEASED], values[DISEASED]))


def test_resamples_count_pairs_as_written_out() -> None:
    """Copies of one subject are people of their own, but never compared with one another."""
    values, times = np.round(scores(1), 1), np.random.default_rng(2).integers(0, 4, 12)
    people = [(row, copy) for row in range(24) for copy in range(times[row % 12])]
    won = pairs = 0.0
    for row, copy in people:
        for other, other_copy in people:
            if not DISEASED[row] or DISEASED[other] or (row % 12 == other % 12 and copy != other_copy):
                continue
            pairs += 1
            won += (values[row] > values[other]) + 0.5 * (values[row] == values[other])
    drawn = _resampled_auroc(values, DISEASED, SUBJECTS)(np.tile(times, 2)[None])
    assert drawn[0] == pytest.approx(won / pairs)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_is_around_the_value(seed: int) -> None:
    """A subject's own brain counted too often would push all resamples above the value."""
    values = scores(seed)
    value = rank_auroc(values[~DISEASED], values[DISEASED])
    statistic = _resampled_auroc(values, DISEASED, SUBJECTS)
    found = percentile_interval(statistic, value, list(SUBJECTS), 1000, np.random.default_rng(seed))
    assert found.low < value < found.high


def test_a_resample_without_a_healthy_subject_has_no_auroc() -> None:
    apart = np.array([f"sub-{number}" for number in range(24)], dtype=object)
    drawn = _resampled_auroc(scores(0), DISEASED, apart)(DISEASED[None].astype(int))
    assert np.isnan(drawn[0])
