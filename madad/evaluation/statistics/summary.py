"""From the long table to one line per method, test set and measure: mean, interval, spread over seeds, winner.

The value is the mean over subjects of each subject's mean over its samples and seeds. Its interval is that of Student's t over
subjects on a logit or logarithmic scale, with two seeds or more over seeds and subjects; the spread over seeds is given apart.

`best` is the method that is better than every other of its block and track beyond the noise, that of training included:
against each of them, Wilcoxon's p-value and that of the mixed model over seeds and subjects are below 0.05 after Holm over all
pairs. Both are the numbers of `comparisons.csv`. With fewer than six subjects no exact test reaches this, and with a single
training run of a method its noise is unknown: then no method is best.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from madad.configuration.tracks import FLOORS
from madad.core.provenance import complete
from madad.evaluation.results.collected import BLOCK, read_metrics, select
from madad.evaluation.results.measures import measures
from madad.evaluation.results.metric import Measure, Metric
from madad.evaluation.results.protocol_table import Protocol
from madad.evaluation.statistics import per_subject
from madad.evaluation.statistics.intervals import mean_interval, over_trainings
from madad.evaluation.statistics.method_order import blocks_in
from madad.evaluation.statistics.pairwise_tests import winner
from madad.evaluation.statistics.per_subject import Field

ENDS: tuple[Literal["low", "high"], ...] = ("low", "high")
COLUMNS = (
    *BLOCK,
    "method",
    "measure",
    "value",
    "low",
    "high",
    "subjects",
    "missing",
    "seeds",
    "seed_sd",
    "training_noise",
    "best",
)


def summarise(
    metrics: Path,
    out: Path,
    tracks: Mapping[str, str] | None = None,
    trained: Mapping[str, bool] | None = None,
) -> None:
    """Write the summary of a long table.

    Args:
        metrics: the long table.
        out: csv file.
        tracks, trained: see `madad.evaluation.statistics.per_subject.Field`.

    Columns: the block, `method`, `measure`, `value`, `low` and `high` (95 % interval), `subjects` behind them, `missing`
    (samples without a value), `seeds`, `seed_sd` (standard deviation of the means of single seeds, empty for one seed),
    `training_noise` (`none` of a method that is not trained, `measured` over two seeds or more, `unknown` with one) and
    `best` (1 or 0). A measure of the whole test set is the mean over seeds, as are its bounds where the evaluation gave
    some; it has 0 `subjects` and no winner. Blocks come as in the long table, which is the order of the configuration.
    """
    table, field = read_metrics(metrics), Field(tracks or {}, trained or {})
    rows = [row for measure in measures() for row in _of_measure(table, measure, field)]
    places = {block: place for place, block in enumerate(blocks_in(table))}
    rows.sort(key=lambda row: (places[tuple(row[key] for key in BLOCK)], row["method"], row["measure"]))
    for row in rows:
        row["training_noise"] = field.noise(row["method"], row["seeds"])
    summary = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    with complete(out) as partial:
        summary.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")


def read_summary(path: str | Path) -> pd.DataFrame:
    """Read the summary, identities as text."""
    return pd.read_csv(path, dtype={column: str for column in (*BLOCK, "method", "measure")})


def _of_measure(table: pd.DataFrame, measure: Measure, field: Field) -> list[dict]:
    rows: list[dict] = []
    for block, part in per_subject.blocks(table, measure):
        shared = {**dict(zip(BLOCK, block, strict=True)), "measure": measure.key}
        if measure.pooled:
            rows += [{**shared, **line} for line in _of_testset(table, part, block, measure)]
            continue
        frame = per_subject.side_by_side(part)
        best = set(_best(part, measure, field)) if measure.better else set()
        for method in frame.columns.unique("method"):
            line = _line(frame, method, measure)
            rows.append({**shared, "method": method, **line, "best": int(method in best)})
    return rows


def _line(frame: pd.DataFrame, method: str, measure: Measure) -> dict:
    values, subjects, missing = per_subject.of_method(frame, method)
    interval = mean_interval(values, subjects, measure.metric.scale)
    bounds = {"value": interval.value, "low": interval.low, "high": interval.high}
    by_seed = values.mean(axis=1) if subjects else np.full(len(values), np.nan)
    return {**bounds, "subjects": interval.subjects, "missing": missing, **_spread(by_seed)}


def _spread(by_seed: np.ndarray) -> dict:
    return {"seeds": by_seed.size, "seed_sd": float(by_seed.std(ddof=1)) if by_seed.size > 1 else np.nan}


def _best(part: pd.DataFrame, measure: Measure, field: Field) -> Iterator[str]:
    """Yield the winner of every track that has one; a floor that is above another floor has won nothing."""
    for track, own in field.by_track(part):
        if track == FLOORS:
            continue
        scores = per_subject.of_all(per_subject.side_by_side(own))
        found = winner(per_subject.compare_pairs(scores, field), len(scores.methods), measure.better)
        if found is not None:
            yield scores.methods[found]


def _of_testset(table: pd.DataFrame, part: pd.DataFrame, block: tuple[str, ...], measure: Measure) -> list[dict]:
    lines = []
    bounds = {end: _whole(table, measure.metric.bound(end), measure.protocol, block) for end in ENDS}
    for method, own in part.groupby("method"):
        by_seed = own.set_index("seed")["value"].sort_index()
        low, high = (found.get(method, empty).reindex(by_seed.index).to_numpy() for found, empty in bounds.values())
        ends = over_trainings(by_seed.to_numpy(), low, high, measure.metric.scale)
        known = {"method": method, "value": by_seed.mean(), "low": ends[0], "high": ends[1], "subjects": 0, "best": 0}
        lines.append({**known, "missing": int(by_seed.isna().sum()), **_spread(by_seed.to_numpy())})
    return lines


def _whole(
    table: pd.DataFrame, metric: Metric, protocol: Protocol, block: tuple[str, ...]
) -> tuple[dict[str, pd.Series], pd.Series]:
    """Return a number of the whole test set by method and seed, and what stands for a method that has none."""
    chosen = select(table, metric, protocol)
    inside = (chosen[list(BLOCK)] == list(block)).all(axis=1) & (chosen["sample"] == "")
    found = {str(method): own.set_index("seed")["value"] for method, own in chosen[inside].groupby("method")}
    return found, pd.Series(dtype=float)
