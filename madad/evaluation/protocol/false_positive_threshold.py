"""The threshold at which a healthy scan shows at most one false-positive component: what a reader can tolerate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from madad.evaluation.metrics.lesion_detection import count_components
from madad.evaluation.metrics.thresholds import NO_HEALTHY, Choice, healthy_quantile
from madad.evaluation.protocol.records import Location, read
from madad.evaluation.protocol.workers import Run

ALLOWED = 1.0
# Thresholds that are tried: those that leave these shares of healthy voxels above, strictest first.
RATES = np.append(0, np.geomspace(1e-6, 0.5, 63))
AT_ONCE = 8


def one_false_positive(run: Run, locations: Sequence[Location], healthy: np.ndarray, min_component: int) -> Choice:
    """Return the lowest threshold down to which healthy scans have on average at most one false-positive component.

    It is looked for from the top, among the thresholds of `RATES`, and the search ends where the average first exceeds one:
    far below, where all false positives merge into a single component, the number falls again and means nothing.

    Args:
        run: of `madad.evaluation.protocol.workers.team`.
        locations: records of the healthy validation scans.
        healthy: (2, bins) pooled over them.
        min_component: components with fewer voxels are removed.
    """
    if not locations or not healthy[0].any():
        return Choice(None, NO_HEALTHY)
    # unique ordinals, falling
    thresholds = np.unique([healthy_quantile(healthy, rate) for rate in RATES])[::-1].tolist()
    lowest = thresholds[0]  # nothing lies above the highest score
    for start in range(0, len(thresholds), AT_ONCE):
        tried = thresholds[start : start + AT_ONCE]
        counted = run(partial(_components, thresholds=tried, min_component=min_component), locations)
        means = np.sum(list(counted), axis=0) / len(locations)
        enough = int(np.argmax(means > ALLOWED)) if (means > ALLOWED).any() else len(tried)
        lowest = tried[enough - 1] if enough else lowest
        if enough < len(tried):
            break
    return Choice(lowest)


def _components(location: Location, thresholds: list[int], min_component: int) -> list[int]:
    record = read(location)
    return [count_components(record.above(threshold), min_component) for threshold in thresholds]
