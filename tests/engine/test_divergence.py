"""A training that went wrong ends with one line, leaves no model, and saturated maps are not stored."""

from __future__ import annotations

import math

import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Prediction
from madad.engine.divergence import RUNAWAY, WORSE, check_loss, check_outcome, is_saturated

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


def test_one_value_nearly_everywhere_is_saturated() -> None:
    varied = np.linspace(0, 1, BRAIN.size).reshape(BRAIN.shape)
    assert is_saturated(prediction(np.full(BRAIN.shape, 3.0)), BRAIN)
    assert not is_saturated(prediction(varied, np.ones(BRAIN.shape)), BRAIN)
    assert not is_saturated(prediction(varied, varied), BRAIN) and not is_saturated(prediction(np.zeros(BRAIN.shape)), BRAIN)
    assert not is_saturated(prediction(varied), np.zeros_like(BRAIN))
