"""Rankings of methods: every measure that has a winner, on every block and over all together, as two flat tables.

Methods are ranked within one track: those whose training saw the same labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd

from madad.configuration.settings import cohort_of
from madad.evaluation.results.collected import BLOCK, block_title
from madad.evaluation.results.measures import measures
from madad.evaluation.results.metric import Measure
from madad.evaluation.statistics import per_subject
from madad.evaluation.statistics.pairwise_tests import Comparison
from madad.evaluation.statistics.per_subject import Field, Scores
from madad.evaluation.statistics.ranks import friedman, rank_probabilities, rank_range, ranks

ALL_BLOCKS = ("all", "all", "all")
# What is ranked together: a block, and the methods of one track in it.
PANEL = (*BLOCK, "track")
PAIR_COLUMNS = (
    *(*PANEL, "measure", "first", "second", "subjects", "equal", "mean_difference", "mean_low", "mean_high"),
    *("median_difference", "median_low", "median_high", "p_wilcoxon", "p_holm", "p_model", "p_model_holm", "p_sign"),
    *("rank_biserial", "sd_first", "sd_second", "congruence", "p_chance", "detectable_difference", "winner", "note"),
)
RANK_COLUMNS = (
    *(*PANEL, "measure", "method", "subjects", "value", "mean_rank", "friedman_p", "rank_low", "rank_high", "best"),
    *("difference_to_best", "difference_low", "difference_high", "p_holm_to_best", "p_model_to_best", "p_chance_to_best"),
    *("detectable_difference", "note"),
)
CHANCE = "probability_rank_"  # and the rank: as many columns as there are methods


@dataclass(frozen=True)
class Ranking:
    """One measure on one block.

    Attributes:
        block: of the long table, or `ALL_BLOCKS`.
        track: of the methods.
        comparisons: every pair of `scores.methods`.
        drawn: (resamples, K) means over the same resamples.
    """

    block: tuple[str, ...]
    track: str
    measure: Measure
    scores: Scores
    comparisons: list[Comparison]
    drawn: np.ndarray

    @cached_property
    def ranked(self) -> np.ndarray:
        """(N, K) ranks within each subject."""
        return ranks(self.scores.values, self.measure.better)

    @property
    def coordinates(self) -> dict[str, str]:
        """What it is called in the tables."""
        return {**dict(zip(PANEL, (*self.block, self.track), strict=True)), "measure": self.measure.key}


def ranking(block: tuple[str, ...], part: pd.DataFrame, measure: Measure, field: Field, resamples: int) -> Iterator[Ranking]:
    """Yield the comparisons of every track from the rows of a measure on a block."""
    for track, own in field.by_track(part):
        scores = per_subject.of_all(per_subject.side_by_side(own))
        drawn = per_subject.resample(scores, resamples, *block, measure.key)
        yield Ranking(block, track, measure, scores, per_subject.compare_pairs(scores, field), drawn)


def rankings(table: pd.DataFrame, field: Field, resamples: int) -> Iterator[Ranking]:
    """Yield every measure that has a winner, on every block, and over all blocks where there are two or more with values."""
    for measure in measures():
        if not measure.better or measure.pooled:
            continue
        parts = list(per_subject.blocks(table, measure))
        for block, part in parts:
            yield from ranking(block, part, measure, field, resamples)
        together = _together([part for _, part in parts])
        if together is not None:
            yield from ranking(ALL_BLOCKS, together, measure, field, resamples)


def _together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame | None:
    """Merge all blocks with values, with the methods that all of them have.

    A subject that several test sets of one cohort share stays one subject: its values under each become its samples.
    """
    valued = [part.dropna(subset="value") for part in parts]
    shown = [part for part, known in zip(parts, valued, strict=True) if len(known)]
    if len(shown) < 2:
        return None
    common = set.intersection(*(set(known["method"]) for known in valued if len(known)))
    whole = pd.concat(shown)
    whole = whole[whole["method"].isin(common)]
    cohorts = whole["testset"].map({name: cohort_of(name) for name in whole["testset"].unique()})
    where = whole["cohort"] + "/" + whole["modality"] + "/" + whole["testset"]
    return whole.assign(subject=cohorts + "/" + whole["subject"], sample=where + "/" + whole["sample"])


def pair_rows(one: Ranking) -> Iterator[dict]:
    """Yield the rows of `comparisons.csv`: every pair, in the order of the alphabet; one that cannot be compared says why."""
    methods = one.scores.methods
    shared = one.coordinates
    found = {(methods[c.first], methods[c.second]): c for c in one.comparisons}
    for first, second in combinations(sorted({*methods, *one.scores.absent}), 2):
        compared = found.get((first, second))
        if compared is None:
            lacking = " and ".join(name for name in (first, second) if name in one.scores.absent)
            yield {**shared, "first": first, "second": second, "subjects": 0, "note": f"{lacking} without a value"}
            continue
        leader = compared.ahead(one.measure.better)
        yield {
            **shared,
            "first": first,
            "second": second,
            **{
                key: getattr(compared, key) for key in ("subjects", "equal", "mean_low", "mean_high", "median_low", "median_high")
            },
            "mean_difference": compared.mean,
            "median_difference": compared.median,
            "p_wilcoxon": compared.wilcoxon,
            "p_holm": compared.holm,
            "p_model": compared.model,
            "p_model_holm": compared.model_holm,
            "p_sign": compared.sign,
            "rank_biserial": compared.effect,
            "sd_first": compared.spreads[0],
            "sd_second": compared.spreads[1],
            "congruence": compared.congruence,
            "p_chance": compared.chance,
            "detectable_difference": compared.detectable,
            "winner": "" if leader is None else methods[leader],
            "note": compared.reason,
        }


def rank_rows(one: Ranking) -> Iterator[dict]:
    """Yield the rows of `ranks.csv`: every method, the best mean rank first; one without a value says so."""
    scores = one.scores
    shared = {**one.coordinates, "subjects": scores.subjects}
    order = np.argsort(one.ranked.mean(axis=0), kind="stable") if scores.subjects else range(len(scores.methods))
    chances, spread = _chances(one)
    means = scores.values.mean(axis=0) if scores.subjects else np.full(len(scores.methods), np.nan)
    best = int(np.argmax(np.round(one.measure.better * means, 12))) if scores.subjects else -1
    for place in order:
        yield {
            **shared,
            "method": scores.methods[place],
            "value": means[place],
            "mean_rank": one.ranked[:, place].mean() if scores.subjects else np.nan,
            "friedman_p": friedman(one.ranked),
            "rank_low": spread[0, place],
            "rank_high": spread[1, place],
            "best": int(place == best),
            **_to_best(one, int(place), best),
            **{f"{CHANCE}{rank + 1}": chance for rank, chance in enumerate(chances[place])},
        }
    for name in scores.absent:
        yield {**shared, "method": name, "subjects": 0, "note": "without a value"}


def _chances(one: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of every rank (K, K) and its 95 % range (2, K); NaN below two subjects."""
    number = len(one.scores.methods)
    if one.scores.subjects < 2:
        return np.full((number, number), np.nan), np.full((2, number), np.nan)
    return rank_probabilities(one.drawn, one.measure.better), rank_range(one.drawn, one.measure.better)


def _to_best(one: Ranking, place: int, best: int) -> dict:
    """Return the comparison of a method with the one of the best mean, as that minus this in the direction that is better."""
    if one.scores.subjects < 2:
        return {"note": "one subject only" if one.scores.subjects else "no subject with a value under every method"}
    if place == best:
        return {} if one.comparisons else {"note": "no other method with a value"}
    compared = next(c for c in one.comparisons if {c.first, c.second} == {place, best})
    sign = 1 if compared.first == best else -1
    ends = sorted((sign * compared.mean_low, sign * compared.mean_high))
    return {
        "difference_to_best": sign * compared.mean,
        "difference_low": ends[0],
        "difference_high": ends[1],
        "p_holm_to_best": compared.holm,
        "p_model_to_best": compared.model_holm,
        "p_chance_to_best": compared.chance,
        "detectable_difference": compared.detectable,
        "note": compared.reason,
    }


def title(panel: Sequence[str]) -> str:
    """Return the heading of a block, and of its track where it is named."""
    block, track = tuple(panel[:3]), panel[3] if len(panel) > 3 else ""
    heading = "All test sets" if block == ALL_BLOCKS else block_title(*block)
    return f"{heading}, track {track}" if track else heading
