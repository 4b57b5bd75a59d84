"""A training that went wrong ends with one line, leaves no model, and saturated maps are not stored."""

from __future__ import annotations

import math

import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Prediction
from madad.engine.divergence import FEWEST_STEPS, RUNAWAY, WORSE, check_loss, check_outcome, is_saturated

OPTIONS = {"learning_rate": 0.1}
BRAIN = np.ones((2, 4, 4), dtype=bool)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2 * RUNAWAY])
def test_a_loss_that_ran_away_is_named_with_its_remedy(value: float) -> None:
    with pytest.raises(UserError, match=r"the loss is .* at step 7.*lower training.learning_rate \(now 0.1\).*has diverged"):
        check_loss(value, "loss", 7, OPTIONS, start=1.0)


@pytest.mark.parametrize("value", [0.0, -1e9, RUNAWAY / 2])
def test_other_losses_are_let_through(value: float) -> None:
    check_loss(value, "loss", 7, OPTIONS, start=1.0)


@pytest.mark.parametrize(
    ("training", "validation", "diverged"),
    [
        (2 * WORSE, 2 * WORSE, True),
        (2 * WORSE, math.nan, True),
        (2 * WORSE, 0.5, False),
        (0.5, 2 * WORSE, False),
        (0.5, 0.5, False),
    ],
)
def test_both_losses_decide_at_the_end(training: float, validation: float, diverged: bool) -> None:
    if diverged:
        with pytest.raises(UserError, match="has diverged"):
            check_outcome(training, validation, 1.0, OPTIONS)
    else:
        check_outcome(training, validation, 1.0, OPTIONS)


def prediction(anomaly_map: np.ndarray, reconstruction: np.ndarray | None = None) -> Prediction:
    return Prediction("sub-01", "test", anomaly_map, reconstruction, 1.0, 1.0)


VARIED = np.linspace(0.01, 0.99, BRAIN.size).reshape(BRAIN.shape)


def test_one_value_nearly_everywhere_is_saturated() -> None:
    assert is_saturated(prediction(np.full(BRAIN.shape, 3.0)), BRAIN, 0)
    assert not is_saturated(prediction(VARIED, VARIED), BRAIN, FEWEST_STEPS)
    assert not is_saturated(prediction(np.zeros(BRAIN.shape)), BRAIN, FEWEST_STEPS)
    assert not is_saturated(prediction(VARIED), np.zeros_like(BRAIN), FEWEST_STEPS)


@pytest.mark.parametrize("bound", [0.0, 1.0])
def test_a_reconstruction_at_one_bound_is_saturated_once_the_method_has_learnt(bound: float) -> None:
    clipped = prediction(VARIED, np.full(BRAIN.shape, bound))
    assert is_saturated(clipped, BRAIN, FEWEST_STEPS) and not is_saturated(clipped, BRAIN, FEWEST_STEPS - 1)
    assert not is_saturated(clipped, np.zeros_like(BRAIN), FEWEST_STEPS)
    half = np.where(VARIED > 0.5, 1.0, 0.0)
    assert not is_saturated(prediction(VARIED, half), BRAIN, FEWEST_STEPS)
