"""Values of subjects from the rows of one measure on one block: what intervals, tests and ranks are made of.

The subject is the unit: its value is the mean over seeds, then over its samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from madad.core.seeds import numpy_generator
from madad.evaluation.results.collected import BLOCK, select
from madad.evaluation.results.metric import Measure
from madad.evaluation.statistics.bootstrap import resampled_means
from madad.evaluation.statistics.pairwise_tests import Comparison, compare_all


@dataclass(frozen=True)
class Field:
    """What is known of the methods beside their numbers; like is compared with like.

    Attributes:
        tracks: labels that the training of each method sees; methods of different tracks are not ranked against each other.
        trained: whether another seed would give another model. A method that is not named here is taken to be trained.
    """

    tracks: Mapping[str, str] = field(default_factory=dict)
    trained: Mapping[str, bool] = field(default_factory=dict)

    def noise(self, method: str, seeds: int) -> str:
        """Return what is known of the noise of training: `none`, `measured` or `unknown`."""
        return "none" if not self.trained.get(method, True) else "measured" if seeds > 1 else "unknown"

    def by_track(self, part: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield the rows of every track, in the order of the alphabet; "" for methods that are not named."""
        yield from ((str(track), own) for track, own in part.groupby(part["method"].map(lambda name: self.tracks.get(name, ""))))


@dataclass(frozen=True)
class Scores:
    """Methods side by side on the same subjects.

    Attributes:
        methods: names, in the order of the alphabet.
        by_seed: for each method (seeds, N), finite.
        absent: methods without any value; they are compared with no other.
    """

    methods: tuple[str, ...]
    by_seed: tuple[np.ndarray, ...]
    absent: tuple[str, ...]

    @property
    def values(self) -> np.ndarray:
        """(N, K) means over seeds."""
        return np.stack([one.mean(axis=0) for one in self.by_seed], axis=1) if self.methods else np.zeros((0, 0))

    @property
    def subjects(self) -> int:
        """Number of subjects with a value under every method."""
        return self.by_seed[0].shape[1] if self.methods else 0


def blocks(table: pd.DataFrame, measure: Measure) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Yield every block with its rows of a measure: those of samples, or of the whole test set if the measure is `pooled`."""
    chosen = select(table, measure.metric, measure.protocol)
    chosen = chosen[(chosen["sample"] == "") == measure.pooled]
    for block, part in chosen.groupby(list(BLOCK)):
        yield tuple(map(str, block)), part


def side_by_side(part: pd.DataFrame) -> pd.DataFrame:
    """Return a row per (subject, sample) and a column per (method, seed), NaN without a value to average (an infinite PSNR)."""
    return part.pivot(index=["subject", "sample"], columns=["method", "seed"], values="value").replace([np.inf, -np.inf], np.nan)


def of_method(frame: pd.DataFrame, method: str) -> tuple[np.ndarray, list[str], int]:
    """Return the values (seeds, N) of one method, the N subjects, and the number of samples without a value under some seed."""
    own = frame[method]
    complete = own.dropna()
    means = complete.groupby(level="subject").mean()
    return means.to_numpy().T, list(means.index), len(own) - len(complete)


def of_all(frame: pd.DataFrame) -> Scores:
    """Return all methods on the samples that have a value under every method and seed."""
    known = pd.Series(frame.notna().T.groupby(level="method").any().any(axis=1))
    absent = tuple(known.index[~known])
    present = frame.drop(columns=list(absent), level="method") if absent else frame
    complete = present.dropna()
    means = complete.groupby(level="subject").mean()
    methods = tuple(known.index[known])
    arrays = tuple(means[method].to_numpy().T for method in methods)
    return Scores(methods, arrays, absent)


def compare_pairs(scores: Scores, field: Field) -> list[Comparison]:
    """Return every pair of methods."""
    return compare_all(scores.by_seed, [field.trained.get(method, True) for method in scores.methods])


def resample(scores: Scores, resamples: int, *coordinates: str) -> np.ndarray:
    """Return the (resamples, K) means over resamples of subjects and seeds; NaN below two subjects.

    Args:
        coordinates: block and measure, which name the resamples; methods play no part in them.
    """
    if scores.subjects < 2:
        return np.full((1, len(scores.methods)), np.nan)
    return resampled_means(scores.by_seed, resamples, numpy_generator("paired", *coordinates))
