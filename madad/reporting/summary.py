"""From the long table to one line a method, test set and measure: mean, interval over subjects, spread over seeds, winner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from madad.evaluation.bootstrap import mean_interval
from madad.provenance import complete
from madad.reporting.collect import BLOCK, read_metrics, select
from madad.reporting.measures import MEASURES, Measure
from madad.seeds import numpy_generator

COLUMNS = (*BLOCK, "method", "measure", "value", "low", "high", "subjects", "missing", "seeds", "seed_sd", "best")


def summarise(metrics: Path, out: Path, resamples: int) -> None:
    """Write the summary of a long table.

    Columns: the block, `method`, `measure`, `value` (mean over subjects of each subject's mean over seeds), `low` and
    `high` (95 % interval over subjects), `subjects`, `missing` (samples without a value), `seeds`, `seed_sd` (standard
    deviation of the means of single seeds, empty for one seed), `best` (1 where no other method is within the noise).
    """
    table = read_metrics(metrics)
    rows = [row for measure in MEASURES for row in _of_measure(table, measure, resamples)]
    summary = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values([*BLOCK, "method", "measure"], kind="stable")
    with complete(out) as partial:
        summary.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")


def read_summary(path: str | Path) -> pd.DataFrame:
    """The summary, identities as text."""
    return pd.read_csv(path, dtype={column: str for column in (*BLOCK, "method", "measure")})


def _of_measure(table: pd.DataFrame, measure: Measure, resamples: int) -> list[dict]:
    rows: list[dict] = []
    chosen = select(table, measure.metric, measure.protocol)
    # A healthy subject's Dice would say nothing of lesions found; it is not in the table to begin with.
    for block, part in chosen.groupby(list(BLOCK)):
        samples = {method: _by_sample(own) for method, own in part.groupby("method")}
        lines = [_line(block, method, measure, own, part[part["method"] == method], resamples) for method, own in samples.items()]
        _mark_best(lines, samples, measure, resamples)
        rows += lines
    return rows


def _by_sample(part: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of every sample; NaN if one seed has no value."""
    grouped = part.groupby(["subject", "sample"])["value"]
    means = grouped.mean()
    return means.where(grouped.count() == grouped.size()).reset_index()


def _line(block: tuple, method: str, measure: Measure, samples: pd.DataFrame, part: pd.DataFrame, resamples: int) -> dict:
    generator = numpy_generator("summary", *block, measure.key)  # the same resamples for every method
    interval = mean_interval(samples["value"].to_numpy(), list(samples["subject"]), resamples, generator)
    by_seed = part.groupby("seed")["value"].mean()
    return {
        **dict(zip(BLOCK, block, strict=True)),
        "method": method,
        "measure": measure.key,
        **{key: getattr(interval, key) for key in ("value", "low", "high", "subjects", "missing")},
        "seeds": len(by_seed),
        "seed_sd": float(by_seed.std(ddof=1)) if len(by_seed) > 1 else np.nan,
        "best": 0,
    }


def _mark_best(lines: list[dict], samples: dict[str, pd.DataFrame], measure: Measure, resamples: int) -> None:
    """Mark the best method, if the paired bootstrap of its lead over the next excludes 0. Two samples cannot tell."""
    ranked = sorted((line for line in lines if np.isfinite(line["value"])), key=lambda line: -measure.better * line["value"])
    if not measure.better or len(ranked) < 2:
        return
    first, second = (samples[line["method"]] for line in ranked[:2])
    both = first.merge(second, on=["subject", "sample"])
    lead = measure.better * (both["value_x"] - both["value_y"]).to_numpy()
    generator = numpy_generator("paired", *(ranked[0][key] for key in BLOCK), measure.key)
    ranked[0]["best"] = int(mean_interval(lead, list(both["subject"]), resamples, generator).low > 0)
