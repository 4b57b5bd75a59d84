"""Published wins under the light: how likely the best row of a published column leads by chance (arXiv 2505.04720)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from madad.configuration.schema import Options
from madad.evaluation.results.measures import by_key
from madad.evaluation.statistics.claims import chance_of_lead
from madad.reporting.reproduction import papers
from madad.reporting.reproduction.values import Sheet
from madad.reporting.tables.significance import read

# A spread that is one over test subjects, which the formula needs; most papers print one over folds or runs.
OVER_SUBJECTS = re.compile(r"over (the )?(test )?(subjects|volumes|patients|scans|cases)")
LEGEND = (
    "p (chance): the probability that the best published value of a column leads this row by chance (the best row: the "
    "next one), by arXiv 2505.04720 from the printed means, the number of test subjects, and the congruence of the two methods, "
    "measured on our maps (those two where both are here, else the median pair). Where a paper prints no standard deviation over "
    "subjects, and one over folds is none, ours is used. Above 0.05 a win is not one."
)


@dataclass(frozen=True)
class Claim:
    """One published value against the best of its column, or the best against the next.

    Attributes:
        against: the other row.
        chance: that the better of the two leads by chance; NaN where it cannot be said.
        congruence: that was used.
        source: where spread and congruence come from, or why there is no chance.
    """

    against: str
    chance: float
    congruence: float
    source: str


class Congruences:
    """What our maps say of pairs of methods: how alike they judge subjects, and how much subjects differ."""

    def __init__(self, comparisons: Path) -> None:
        found = read(comparisons)
        self._pairs = found[found["congruence"].notna()]

    def claim(self, sheet: Sheet, column: Options, place: int, row: int) -> Claim | None:
        """Return the claim that a row of a sheet has in a column; None where nothing is compared.

        Args:
            column: of the sheet's table, at `place`.
            row: of the sheet's table.
        """
        measure = next((by_key()[key] for key in (column["measure"], column["nearest"]) if key), None)
        values = np.array([papers.split(one["values"][place])[0] for one in sheet.table["rows"]])
        gains = any("relative_to" in one for one in sheet.table["rows"])
        if measure is None or not measure.metric.better or gains or np.isfinite(values).sum() < 2 or math.isnan(values[row]):
            return None
        order = [int(one) for one in np.argsort(-measure.metric.better * values, kind="stable") if np.isfinite(values[one])]
        other = order[1] if row == order[0] else order[0]
        against = sheet.table["rows"][other]["name"]
        if not column["subjects"]:
            return Claim(against, math.nan, math.nan, "the number of test subjects is not printed")
        scale = papers.RANGES[column["unit"]][2]
        pairs = self._of([key for key in (column["measure"], column["nearest"]) if key])
        alike, spreads, source = self._pair(pairs, sheet, row, other)
        printed = [papers.split(sheet.table["rows"][one]["values"][place])[1] / scale for one in (row, other)]
        if OVER_SUBJECTS.search(sheet.table["spread"] or "") and np.isfinite(printed).all():
            spreads, source = (
                (printed[0], printed[1]),
                source.replace(": spread and", " (the spread is printed):"),
            )
        chance = chance_of_lead(abs(values[row] - values[other]) / scale, spreads, alike, column["subjects"])
        return Claim(against, chance, alike, source)

    def _of(self, keys: list[str]) -> pd.DataFrame:
        """Return our pairs by the first of some measures that has any; all test sets together say nothing new."""
        own = self._pairs[self._pairs["cohort"] != "all"]
        return next((own[own["measure"] == key] for key in keys if (own["measure"] == key).any()), own.iloc[:0])

    def _pair(self, pairs: pd.DataFrame, sheet: Sheet, row: int, other: int) -> tuple[float, tuple[float, float], str]:
        """Return congruence and spreads of these two methods where both are here, else those of the median pair."""
        if pairs.empty:
            return math.nan, (math.nan, math.nan), "no pair of methods was measured here by this metric"
        first, second = ({method.method for method in sheet.placed[one]} for one in (row, other))
        own = pairs[
            (pairs["first"].isin(first) & pairs["second"].isin(second))
            | (pairs["first"].isin(second) & pairs["second"].isin(first))
        ]
        used, whose = (pairs, "the median pair") if own.empty else (own, "these two methods")
        spread = float(np.median(used[["sd_first", "sd_second"]]))
        source = f"ours: spread and congruence of {whose}"
        return float(used["congruence"].median()), (spread, spread), source
