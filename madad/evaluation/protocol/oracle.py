"""The oracle's threshold once small components are removed: a ceiling of what is printed, not of what comes before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from madad.evaluation.metrics.thresholds import Choice
from madad.evaluation.metrics.voxel_metrics import confusion, dice
from madad.evaluation.protocol.pooled_samples import PooledSamples
from madad.evaluation.protocol.postprocessing import remove_small
from madad.evaluation.protocol.records import Location, read
from madad.evaluation.protocol.workers import Run
from madad.evaluation.results.protocol_table import ORACLE_TEST

# Thresholds that are tried beside those of the other protocols: those with this many of the best mean Dice before the removal.
TRIED = 12


def settled(run: Run, first: PooledSamples, choices: Mapping[str, Choice], min_component: int) -> dict[str, Choice]:
    """Return the choices, the oracle's with the highest mean Dice of the test subjects after the removal of components.

    It is looked for among the thresholds of all protocols and a range around the best one before the removal; so no
    other protocol can be above it. Where nothing is removed, that best one is exact and stays.

    Args:
        run: of `madad.evaluation.protocol.workers.team`.
        choices: thresholds by protocol.
        min_component: components with fewer voxels are removed.
    """
    before = choices[ORACLE_TEST.name].ordinal
    if before is None or min_component <= 1:
        return dict(choices)
    tried = candidates(first.evidence.dices, [choice.ordinal for choice in choices.values() if choice.ordinal is not None])
    found = np.array(list(run(partial(_dices, thresholds=tried, min_component=min_component), first.locations)))
    by_subject = pd.DataFrame(found, index=np.array([one.subject for one in first.tested])).groupby(level=0).mean()
    return {**choices, ORACLE_TEST.name: Choice(tried[int(np.argmax(by_subject.mean()))])}


def candidates(dices: np.ndarray, others: Sequence[int]) -> list[int]:
    """Return the thresholds to try, ascending: those of others, and a range of the curve with the highest mean Dice.

    Removing components takes false positives from the sides of the curve, so that the best threshold afterwards lies lower or
    higher, but among those that were good before: the range in which the curve keeps nine tenths of its height.

    Args:
        dices: (bins + 1,) as in `madad.evaluation.metrics.thresholds.Evidence`.
        others: ordinals.
    """
    good = np.flatnonzero(dices >= 0.9 * dices.max())
    # where the curve does not change, thresholds cut the same voxels
    steps = good[np.flatnonzero(np.diff(dices[good], prepend=np.nan) != 0)]
    spaced = steps[np.linspace(0, steps.size - 1, min(TRIED, steps.size)).astype(int)]
    return sorted({*(int(place) - 1 for place in spaced), int(np.argmax(dices)) - 1, *others})


def _dices(location: Location, thresholds: Sequence[int], min_component: int) -> list[float]:
    record = read(location)
    if not record.reference.any():
        return [np.nan] * len(thresholds)
    cut = (remove_small(record.above(threshold), min_component) for threshold in thresholds)
    return [dice(confusion(one, record.reference, record.voxels, 1.0)) for one in cut]
