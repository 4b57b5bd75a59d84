"""The rows of the reference mask itself: what the best possible map scores under each protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from madad.evaluation.results.metric import Measure
from madad.evaluation.statistics.summary import read_summary

CEILING_NOTE = (
    "Last row of every test set: the reference mask itself as the map, that is, the most that any method can score under each "
    "protocol. It is no method, and is neither ranked nor tested."
)


def ceiling_lines(ceilings: Path | None, shown: Sequence[Measure]) -> pd.DataFrame | None:
    """Return the lines of the reference masks with the measures that a table shows; None where nothing was computed.

    Args:
        ceilings: a summary, see `madad.evaluation.statistics.summary`.
    """
    if ceilings is None:
        return None
    lines = read_summary(ceilings)
    return lines[lines["measure"].isin([measure.key for measure in shown])].assign(best=0)
