"""How large a lesion must be to be found: psychometric curves over the implanted lesions, and the table of their thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from madad.evaluation.results.collected import block_title, read_metrics, select
from madad.evaluation.results.metric_table import FALSE_POSITIVE_COMPONENTS, LESION_SENSITIVITY
from madad.evaluation.results.protocol_table import ONE_FALSE_POSITIVE
from madad.evaluation.results.sample_covariates import read_samples
from madad.evaluation.statistics import method_order
from madad.evaluation.statistics.detectability import (
    ABOVE_ALL,
    BELOW_ALL,
    FAINTEST,
    LESIONS_A_COEFFICIENT,
    Psychometric,
    Trials,
    fit,
)
from madad.evaluation.statistics.intervals import Interval, mean_interval
from madad.evaluation.statistics.per_subject import of_method, side_by_side
from madad.evaluation.statistics.variance import FEWEST_SUBJECTS
from madad.reporting.layout.table_writer import NOTHING, Cell, Column, Table, interval
from madad.reporting.tables.results import write_all

PROTOCOL = ONE_FALSE_POSITIVE
# Contrasts at which the curve is read, where lesions of such contrast were seen; and what is still such a contrast.
READ_AT, ALIKE = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7), 1.05
NOTHING_IMPLANTED = "No test set has lesions of known volume and contrast"
NOTES = (
    "V80: smallest volume from which on a lesion is found with a probability of 80 %, at the threshold that lets healthy "
    "validation scans show one false-positive component on average; found means that a tenth of it is above the threshold.",
    "Contrast is measured, not as ordered: the mean change inside the lesion of what methods see, which is cut to the normal "
    "range. A contrast that no lesion of a test set came near has no V80 there.",
    "From a logistic curve over the logarithms of volume and measured contrast with Firth's penalty, outcomes averaged over "
    f"seeds first. No curve with fewer than {LESIONS_A_COEFFICIENT} lesions a coefficient: {2 * LESIONS_A_COEFFICIENT}, and "
    f"{3 * LESIONS_A_COEFFICIENT} where the contrast varies.",
    "In brackets every volume at which the curve's 95 % band contains 80 %; the band allows for lesions of one brain being "
    f"alike, but not for another training. No interval with fewer than {FEWEST_SUBJECTS} subjects, or when all lesions are "
    "alike, found or missed. < and > : beyond the volumes that were tried.",
    "FP/scan: false-positive components a scan at that threshold on healthy test scans, which had no part in choosing it.",
)


@dataclass(frozen=True)
class Detection:
    """What one method found of the lesions of a test set.

    Attributes:
        asked: (N,) contrast of every trial as ordered.
        curve: the fit, or why there is none.
        alarms: false-positive components a scan on healthy test scans.
    """

    method: str
    trials: Trials
    asked: np.ndarray
    curve: Psychometric | str
    alarms: Interval


def detections(metrics: Path, samples: Path) -> dict[tuple, list[Detection]]:
    """Return every method on every block with implanted lesions, in the order of the long table.

    Args:
        metrics: see `madad.evaluation.results.collected`.
        samples: see `madad.evaluation.results.sample_covariates`.
    """
    table, known = read_metrics(metrics), read_samples(samples)
    ordered = (known["volume_ml"] > 0) & (known["asked_contrast"] > 0) & known["contrast"].notna()
    known = known[ordered][["testset", "modality", "sample", "volume_ml", "asked_contrast", "contrast"]]
    attempts = select(table, LESION_SENSITIVITY, PROTOCOL).merge(known, on=["testset", "modality", "sample"])
    alarms = select(table, FALSE_POSITIVE_COMPONENTS, PROTOCOL)
    alarms = alarms[alarms["group"] == "healthy"]
    found = {}
    for block in method_order.blocks_in(table):
        own, healthy = (part[method_order.inside(part, block)] for part in (attempts, alarms))
        if len(own):
            methods = [method for method in method_order.methods_in(table) if method in set(own["method"])]
            found[block] = [_detection(method, own, healthy, block) for method in methods]
    return found


def _detection(method: str, attempts: pd.DataFrame, alarms: pd.DataFrame, block: tuple) -> Detection:
    own = attempts[attempts["method"] == method]
    frame = side_by_side(own)[method]
    lesion = own.drop_duplicates("sample").set_index(["subject", "sample"]).loc[frame.index]
    outcome = (frame > 0).astype(float).where(frame.notna()).mean(axis=1, skipna=False)
    subjects = frame.index.get_level_values("subject").to_numpy().astype(str)
    trials = Trials(lesion["volume_ml"].to_numpy(), lesion["contrast"].abs().to_numpy(), outcome.to_numpy(), subjects)
    return Detection(
        method,
        trials,
        lesion["asked_contrast"].to_numpy(),
        fit(trials),
        _alarms(alarms[alarms["method"] == method]),
    )


def _alarms(rows: pd.DataFrame) -> Interval:
    if rows.empty:
        return Interval(np.nan, np.nan, np.nan, 0)
    values, people, _ = of_method(side_by_side(rows), rows["method"].iloc[0])
    return mean_interval(values, people, "positive")


def contrasts_of(found: Sequence[Detection]) -> list[float]:
    """Return the contrasts at which curves are read, weakest first: round ones that were seen, or else the median that was."""
    chosen: set[float] = set()
    for one in found:
        near = [contrast for contrast in READ_AT if was_seen(one.trials, contrast)]
        chosen.update(near or [float(f"{np.median(one.trials.contrast):.2g}")])
    return sorted(chosen)


def was_seen(trials: Trials, contrast: float) -> bool:
    """Return whether a contrast lies between the 5th and the 95th percentile of those that were measured, or beside them."""
    low, high = np.quantile(trials.contrast, (0.05, 0.95))
    return bool(low / ALIKE <= contrast <= high * ALIKE)


def nearest(trials: Trials, contrast: float, shown: Sequence[float]) -> np.ndarray:
    """Return which trials (N,) bool have a contrast that is nearer to one of those shown than to the others, by ratio."""
    away = np.abs(np.log(np.maximum(trials.contrast, FAINTEST))[:, None] - np.log(np.array(shown)))
    return away.argmin(axis=1) == list(shown).index(contrast)


def _seen(found: dict[tuple, list[Detection]]) -> list[str]:
    """Return for every test set which contrasts were ordered and what methods saw of them."""
    notes = []
    for block, (one, *_) in found.items():
        parts = []
        for asked in np.unique(one.asked):
            own = one.trials.contrast[one.asked == asked]
            parts.append(f"{asked:g} was seen as {np.median(own):.2g} ({own.min():.2g} to {own.max():.2g})")
        notes.append(f"{block_title(*block)}: of the contrasts that were ordered, {'; '.join(parts)}.")
    return notes


def write_detectability(metrics: Path, samples: Path, csv: Path, tex: Path, html: Path) -> None:
    """Write the smallest volume that each method finds, by contrast, with the false alarms it costs."""
    found = detections(metrics, samples)
    contrasts = contrasts_of([one for block in found.values() for one in block])
    columns = [
        Column("Method", number=False),
        *(
            Column(
                f"V80 at contrast {contrast:g} (ml) ↓", "smallest volume found with 80 % probability at that measured contrast"
            )
            for contrast in contrasts
        ),
        Column("Found", "share of all implanted lesions found at that threshold"),
        Column("FP/scan", "false-positive components a scan on healthy test scans; the threshold was meant for one"),
        Column("Lesions", "implanted lesions tried"),
        Column("Subjects"),
    ]
    groups = [(block_title(*block), [_row(one, contrasts) for one in own]) for block, own in found.items()]
    notes = [*NOTES, *_seen(found), *_reasons(found)] if found else [f"{NOTHING_IMPLANTED}."]
    write_all(Table("Smallest lesion found", columns, groups, notes, "Test set"), csv, tex, html)


def _reasons(found: dict[tuple, list[Detection]]) -> list[str]:
    """Return why there is no curve, or less than there should be; methods that share a reason share a note."""
    shared: dict[tuple[str, str], list[str]] = {}
    for block, own in found.items():
        for one in own:
            missing = int(np.isnan(one.trials.found).sum())
            lesions = f"{missing} of {one.trials.found.size} lesions without an outcome, see the log of the evaluation"
            why = one.curve if isinstance(one.curve, str) else lesions if missing else ""
            shared.setdefault((block_title(*block), why), []).append(one.method)
    return [f"{title}, {', '.join(methods)}: {why}." for (title, why), methods in shared.items() if why]


def _row(one: Detection, contrasts: Sequence[float]) -> list[Cell]:
    known = one.trials.known()
    share = float(known.found.mean()) if known.found.size else np.nan
    return [
        Cell(one.method),
        *(_volume(one, contrast) for contrast in contrasts),
        interval(share, np.nan, np.nan, digits=2),
        interval(one.alarms.value, one.alarms.low, one.alarms.high),
        Cell(str(one.trials.found.size), one.trials.found.size),
        Cell(str(np.unique(one.trials.subjects).size), np.unique(one.trials.subjects).size),
    ]


def _volume(one: Detection, contrast: float) -> Cell:
    if isinstance(one.curve, str) or not was_seen(one.trials, contrast):
        return Cell(NOTHING, np.nan)
    value, low, high = one.curve.smallest_found(contrast)
    ends = one.curve.tried_ml
    bounds = "" if np.isnan(low) else f" [{volume_text(low, ends)}, {volume_text(high, ends)}]"
    # Sorting puts what no volume reaches last, and not with what has no number.
    return Cell(volume_text(value, ends) + bounds, min(value, 10 * ends[1]))


def volume_text(volume_ml: float, tried_ml: tuple[float, float]) -> str:
    """Return a volume in ml, or that it lies beyond the smallest or the largest tried."""
    if volume_ml == BELOW_ALL:
        return f"< {tried_ml[0]:g}"
    return f"> {tried_ml[1]:g}" if volume_ml == ABOVE_ALL else f"{volume_ml:.2g}"
