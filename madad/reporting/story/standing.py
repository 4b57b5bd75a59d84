"""How the methods stand on one test set: who leads, how sure that is, and where the floors and the ceiling are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from madad.configuration.tracks import FLOORS, SUPERVISED, TRACKS
from madad.evaluation.protocol.ceilings import REFERENCE
from madad.evaluation.results.collected import BLOCK, Block
from madad.evaluation.results.measures import by_key
from madad.evaluation.results.metric_table import AUPRC
from madad.evaluation.results.protocol_table import PER_SUBJECT
from madad.evaluation.statistics import per_subject
from madad.evaluation.statistics.pairwise_tests import Comparison, compare_all, holm
from madad.evaluation.statistics.power import ALPHA, subjects_needed
from madad.evaluation.statistics.variance import FEWEST_SUBJECTS
from madad.reporting.layout import frames

MEASURE = AUPRC @ PER_SUBJECT
# How sure a lead is: outside the noise of subjects and training; outside that of subjects, with one training; not shown; no test
# can show it; no other method to lead.
Certainty = Literal["shown", "shown for these trainings", "open", "too few subjects", "alone"]
# Those of unknown track come last.
LEARNT = (*(track for track in TRACKS if track != FLOORS), "")


@dataclass(frozen=True)
class Value:
    """A mean with its 95 % interval, NaN where there is none."""

    mean: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Lead:
    """The best mean among the trained methods of one track, and the one behind it.

    Attributes:
        track: labels that training saw.
        leader: method with the best mean.
        value: of the leader.
        second: method behind it; empty for none.
        margin: mean paired difference between them.
        certainty: of the lead over the second.
        beaten: methods that the leader beats outside the noise.
        rivals: other trained methods of the track.
        subjects: in the comparison.
        needed: subjects with which a margin like this would be found with 80 % power; None where that is unknown.
        overall: whether the leader beats every other method of its track, as bold in the tables.
    """

    track: str
    leader: str
    value: Value
    second: str
    margin: Value
    certainty: Certainty
    beaten: int
    rivals: int
    subjects: int
    needed: int | None
    overall: bool


@dataclass(frozen=True)
class Floors:
    """Trained methods against the best of those that train no network; supervised ones are left out.

    Attributes:
        floor: the untrained method with the best mean, and `value` its mean.
        names: every untrained method.
        best: the trained method with the best mean.
        margin: mean paired difference of `best` and the floor.
        above: trained methods with a higher mean than the floor.
        shown: those of them for which Wilcoxon's test says so, p < 0.05 after Holm over the trained methods.
        trained: how many there are.
    """

    floor: str
    value: float
    names: tuple[str, ...]
    best: str
    margin: Value
    above: int
    shown: int
    trained: int


@dataclass(frozen=True)
class Standing:
    """One test set.

    Attributes:
        block: training cohort, sequence and test set.
        subjects: with a lesion; 0 where nothing could be scored.
        healthy: healthy test subjects.
        leads: one per track with trained methods, healthy images first.
        floors: None where there is no untrained method, or no trained one.
        ceiling: mean of the reference mask as the map; NaN where unknown.
    """

    block: Block
    subjects: int
    healthy: int
    leads: tuple[Lead, ...]
    floors: Floors | None
    ceiling: float


def standings(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    metrics: pd.DataFrame,
    ceilings: pd.DataFrame,
    tracks: Mapping[str, str],
    trained: Mapping[str, bool],
) -> list[Standing]:
    """Return how the methods stand on every test set, in the order of the summary.

    Args:
        summary, ceilings: see `madad.evaluation.statistics.summary`.
        comparisons: see `madad.evaluation.statistics.rankings.PAIR_COLUMNS`.
        metrics: the long table.
        tracks: labels that the training of every method saw.
        trained: whether another seed would give another model.
    """
    long = {block: part for block, part in per_subject.blocks(metrics, MEASURE)}
    pairs = comparisons[comparisons["measure"] == MEASURE.key]
    found = []
    for block, lines in frames.blocks(summary).items():
        own = lines[(lines["measure"] == MEASURE.key) & lines["value"].notna()].set_index("method")
        learned = [name for name in own.index if trained.get(name, True)]
        groups = {track: [name for name in learned if tracks.get(name, "") == track] for track in LEARNT}
        inside = pairs[(pairs[list(BLOCK)] == list(block)).all(axis=1)]
        found.append(
            Standing(
                block=block,
                subjects=int(own["subjects"].max()) if len(own) else 0,
                healthy=_healthy(lines),
                leads=tuple(lead(track, own.loc[names], inside) for track, names in groups.items() if names),
                floors=_floors(own, long.get(block), tracks, trained),
                ceiling=_ceiling(ceilings, block),
            )
        )
    return found


def lead(track: str, own: pd.DataFrame, pairs: pd.DataFrame) -> Lead:
    """Return who leads in one track.

    Args:
        own: lines of the summary by method, one or more, with values.
        pairs: comparisons of the block.
    """
    order = own["value"].sort_index().sort_values(ascending=MEASURE.better < 0, kind="stable").index
    leader, *others = map(str, order)
    line = own.loc[leader]
    value, overall = Value(line["value"], line["low"], line["high"]), bool(line["best"])
    if not others:
        return Lead(track, leader, value, "", Value(math.nan), "alone", 0, 0, int(line["subjects"]), None, overall)
    margin, pair, needed = _margin(pairs, leader, others[0])
    beaten = int(((pairs["winner"] == leader) & (pairs["first"].isin(others) | pairs["second"].isin(others))).sum())
    subjects = 0 if pair is None else int(pair.subjects)
    return Lead(track, leader, value, others[0], margin, _certainty(pair, leader), beaten, len(others), subjects, needed, overall)


def _margin(pairs: pd.DataFrame, leader: str, second: str) -> tuple[Value, frames.Row | None, int | None]:
    chosen = pairs[pairs["first"].isin([leader, second]) & pairs["second"].isin([leader, second])]
    if chosen.empty:
        return Value(math.nan), None, None
    pair = next(frames.rows(chosen))
    sign = MEASURE.better * (1 if pair.first == leader else -1)
    ends = sorted((sign * pair.mean_low, sign * pair.mean_high))
    # variance of a difference of two correlated values
    variance = pair.sd_first**2 + pair.sd_second**2 - 2 * pair.congruence * pair.sd_first * pair.sd_second
    needed = subjects_needed(pair.mean_difference, math.sqrt(max(variance, 0.0))) if math.isfinite(variance) else None
    return Value(sign * pair.mean_difference, *ends), pair, needed


def _certainty(pair: frames.Row | None, leader: str) -> Certainty:
    if pair is None or pair.subjects < FEWEST_SUBJECTS:
        return "too few subjects"
    if pair.winner == leader:
        return "shown"
    return "shown for these trainings" if pair.p_holm < ALPHA and not math.isfinite(pair.p_model) else "open"


def _floors(
    own: pd.DataFrame, long: pd.DataFrame | None, tracks: Mapping[str, str], trained: Mapping[str, bool]
) -> Floors | None:
    names = [name for name in own.index if not trained.get(name, True)]
    learned = [name for name in own.index if trained.get(name, True) and tracks.get(name, "") != SUPERVISED]
    if long is None or not names or not learned:
        return None
    values = MEASURE.better * own["value"]
    floor, best = (str(values[group].sort_index().idxmax()) for group in (names, learned))
    compared = {name: _against(long, name, floor, trained) for name in learned}
    p_values = holm(np.array([one.wilcoxon for one in compared.values()]))
    ahead = [MEASURE.better * one.mean > 0 for one in compared.values()]
    first = compared[best]
    ends = sorted((MEASURE.better * first.mean_low, MEASURE.better * first.mean_high))
    return Floors(
        floor=floor,
        value=float(own.loc[floor, "value"]),
        names=tuple(names),
        best=best,
        margin=Value(MEASURE.better * first.mean, *ends),
        above=sum(ahead),
        shown=sum(front and p < ALPHA for front, p in zip(ahead, p_values, strict=True)),
        trained=len(learned),
    )


def _against(long: pd.DataFrame, method: str, floor: str, trained: Mapping[str, bool]) -> Comparison:
    scores = per_subject.of_all(per_subject.side_by_side(long[long["method"].isin([method, floor])]))
    ordered: Sequence[np.ndarray] = [scores.by_seed[scores.methods.index(name)] for name in (method, floor)]
    return compare_all(ordered, [trained.get(name, True) for name in (method, floor)])[0]


def _healthy(lines: pd.DataFrame) -> int:
    known = by_key()
    own = lines[[key in known and known[key].metric.groups == "healthy" for key in lines["measure"]]]
    return int(own["subjects"].max()) if len(own) else 0


def _ceiling(ceilings: pd.DataFrame, block: Block) -> float:
    inside = (ceilings[list(BLOCK)] == list(block)).all(axis=1) & (ceilings["measure"] == MEASURE.key)
    own = ceilings[inside & (ceilings["method"] == REFERENCE)]
    return float(own["value"].max()) if len(own) else math.nan
