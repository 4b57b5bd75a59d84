"""The threshold at which a healthy scan shows at most one false-positive component: what a reader can tolerate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from madad.evaluation.metrics.component_tree import Counts, count_at_every_threshold, summed
from madad.evaluation.metrics.thresholds import NO_HEALTHY, Choice, healthy_quantile
from madad.evaluation.protocol.records import Location, read
from madad.evaluation.protocol.workers import Run

ALLOWED = 1.0
# No threshold below the one that leaves this share of healthy voxels above is looked at.
LARGEST_SHARE = 0.5


def one_false_positive(run: Run, locations: Sequence[Location], healthy: np.ndarray, min_component: int) -> Choice:
    """Return the lowest threshold down to which healthy scans have on average at most one false-positive component.

    It is looked for from the top among all thresholds, and the search ends where the average first exceeds one: far below,
    where all false positives merge into a single component, the number falls again and means nothing.

    Args:
        run: of `madad.evaluation.protocol.workers.team`.
        locations: records of the healthy validation scans.
        healthy: (2, bins) pooled over them.
        min_component: components with fewer voxels are removed.
    """
    if not locations or not healthy[0].any():
        return Choice(None, NO_HEALTHY)
    lowest = healthy_quantile(healthy, LARGEST_SHARE)
    alarms, _ = summed(run(partial(_components, lowest=lowest, min_component=min_component), locations))
    # entry n of the sum is that of the threshold n − 1
    too_many = np.flatnonzero(alarms[lowest + 1 :] > ALLOWED * len(locations))
    return Choice(lowest + 1 + int(too_many[-1]) if too_many.size else lowest)


def _components(location: Location, lowest: int, min_component: int) -> Counts:
    record = read(location)
    return count_at_every_threshold(record.ordinals, record.brain & (record.inside > lowest), min_component)
