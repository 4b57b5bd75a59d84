"""Trainings that went wrong are stopped with one line, and their maps are not scored."""

from __future__ import annotations

import math

import numpy as np

from madad.core.errors import UserError
from madad.core.intensity_scale import HIGHEST, LOWEST
from madad.core.io.hdf5 import Prediction

# A loss so many times above that of the first step has run away, whatever its unit.
RUNAWAY = 100.0
# At the end neither the training nor the validation loss may be so many times above that of the first step.
WORSE = 10.0
# A map has lost its contrast if this share of the brain has one and the same largest value, a reconstruction if it has one bound.
SATURATED_SHARE = 0.99
# After fewer steps a method has learnt too little for its reconstructions to be judged: six leave `inpainting` clipped.
FEWEST_STEPS = 100


def check_loss(value: float, what: str, step: int, options: dict, start: float = math.inf) -> None:
    """Raise if a loss is not finite, or far above its start.

    Args:
        value: the loss.
        what: whose loss it is.
        step: number of the training step.
        options: training options, for the remedy.
        start: size of the loss of the first step.

    Raises:
        UserError: the training has diverged.
    """
    if math.isfinite(value) and value <= RUNAWAY * start:
        return
    far = f", {value / start:.3g} times that at the start" if math.isfinite(value) else ""
    raise UserError(
        f"training: the {what} is {value:.6g} at step {step}{far}; lower training.learning_rate (now "
        f"{options['learning_rate']:g}), set training.gradient_clip to 1.0 or training.precision to '32'. The training has "
        "diverged and is not used"
    )


def check_outcome(training: float, validation: float, start: float, options: dict) -> None:
    """Raise if a training made a method much worse than it was.

    Args:
        training: mean training loss since the last validation.
        validation: validation loss of the weights that are saved; NaN without validation data.
        start: size of the loss of the first step.
        options: training options, for the remedy.

    Raises:
        UserError: both losses are far above that of the first step.
    """
    if training > WORSE * start and not validation <= WORSE * start:
        raise UserError(
            f"training: the loss ends at {training:.6g}, {training / start:.3g} times that at the start; lower "
            f"training.learning_rate (now {options['learning_rate']:g}). The training has diverged and is not used"
        )


def is_saturated(prediction: Prediction, brain: np.ndarray, steps: int) -> bool:
    """Return whether a map has one and the same value, other than 0, nearly everywhere in the brain, or a reconstruction is at
    one end of the scale there.

    Args:
        prediction: of one subject.
        brain: (S, H, W) bool.
        steps: number of steps that the method was trained for; 0 if it was not, or if that is unknown.
    """
    made = prediction.reconstruction
    clipped = made is not None and steps >= FEWEST_STEPS and _is_at_one_bound(made[brain])
    return clipped or _has_one_value(prediction.anomaly_map[brain])


def _is_at_one_bound(values: np.ndarray) -> bool:
    shares = (np.mean(values <= LOWEST), np.mean(values >= HIGHEST)) if values.size else (0.0,)
    return float(max(shares)) >= SATURATED_SHARE


def _has_one_value(values: np.ndarray) -> bool:
    top = values.max(initial=-math.inf)
    return values.size > 0 and top != 0 and float(np.mean(values == top)) >= SATURATED_SHARE
