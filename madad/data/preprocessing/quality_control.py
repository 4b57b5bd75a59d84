"""Which images go on: limits and outliers of the quality measures, overruled by what a person decided.

Nothing here opens an image: another limit costs seconds, and what was registered stays registered.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from madad.core.errors import did_you_mean
from madad.core.io.manifest import Row, image_name, read_table, write_table
from madad.core.logs import say, warn
from madad.core.provenance import write_json
from madad.data.preprocessing import quality_measures

VERDICTS = ("ok", "flagged", "excluded", "failed")
# What goes into packs and into the fit of the intensities.
USABLE = ("ok", "flagged")
COLUMNS = (*quality_measures.COLUMNS, "verdict", "verdict_reason")

# On which side an outlier is worth a look: an overlap that is better than all others is not.
OUTLIER_SIDES = {
    "brain_volume_ml": "both",
    "template_dice": "low",
    "reference_dice": "low",
    "registration_nmi": "low",
    "alignment_nmi": "low",
}
# Fewer images say too little about what is usual.
FEWEST_FOR_OUTLIERS = 10
# Expected median absolute deviation of a standard normal variable: it makes the score one of standard deviations.
NORMAL_MAD = 0.6745


def judge(tables: Sequence[Path], options: dict, cohort: str, out: Path, record: Path) -> None:
    """Write all rows of a cohort with their verdicts, and beside them what the verdicts rest on.

    Args:
        tables: of its shards.
        options: `limits`, `outlier_z`, and the cohort's own lists `exclude` and `keep`.
        out: the rows with `verdict` (one of `VERDICTS`) and `verdict_reason`.
        record: JSON with the options, how many images got which verdict, the names in the lists that no image has, and what is
            usual for every measure.
    """
    rows = [row for table in tables for row in read_table(table)]
    rows.sort(key=lambda row: (image_name(row), row["modality"]))
    judged = verdicts(rows, options)
    counts = {verdict: sum(row["verdict"] == verdict for row in judged) for verdict in VERDICTS}
    strangers = list(_strangers(rows, options, cohort))
    for line in strangers:
        warn(line)
    for row in judged:
        if row["verdict"] == "excluded":
            warn(f"{cohort}: {image_name(row)} {row['modality']} is excluded: {row['verdict_reason']}")
    write_table(out, judged, COLUMNS)
    write_json(record, {"cohort": cohort, **options, "counts": counts, "strangers": strangers, "usual": usual(rows)})
    say(f"{cohort}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def verdicts(rows: Sequence[Row], options: dict) -> list[Row]:
    """The rows in their order, each with its verdict and the reasons for it."""
    far = outliers(rows, options["outlier_z"]) if options["outlier_z"] else {}
    return [{**row, **_verdict(row, options, far.get(place, []))} for place, row in enumerate(rows)]


def _verdict(row: Row, options: dict, far: list[str]) -> Row:
    if row["status"] != "ok":
        return {"verdict": "failed", "verdict_reason": row["reason"]}
    crossed = list(_crossed(row, options["limits"], "exclude"))
    doubts = [text for text in row["warning"].split("; ") if text]
    doubts += [text for text in _crossed(row, options["limits"], "flag") if text not in crossed] + far
    if listed(row, options["exclude"]):
        verdict, reasons = "excluded", ["by hand (quality.exclude)", *crossed, *doubts]
    elif listed(row, options["keep"]):
        verdict, reasons = "ok", ["kept by hand (quality.keep)", *crossed, *doubts]
    else:
        verdict, reasons = "excluded" if crossed else "flagged" if doubts else "ok", [*crossed, *doubts]
    return {"verdict": verdict, "verdict_reason": "; ".join(reasons)}


def listed(row: Row, names: Iterable[str]) -> bool:
    """Whether a list names the row's subject, its session (`sub-01_ses-1`) or the image alone (`sub-01_ses-1_FLAIR`)."""
    return not set(names).isdisjoint(_names(row))


def _names(row: Row) -> tuple[str, str, str]:
    return row["subject"], image_name(row), f"{image_name(row)}_{row['modality']}"


def _strangers(rows: Sequence[Row], options: dict, cohort: str) -> Iterator[str]:
    """Names in the lists of a cohort that no image has: no error, as a list may be of more subjects than were taken."""
    known = {name for row in rows for name in _names(row)}
    for key in ("exclude", "keep"):
        for name in sorted(set(options[key]) - known):
            hint = f", did you mean 'sub-{name}'?" if f"sub-{name}" in known else did_you_mean(name, known)
            yield f"quality.{key}.{cohort}: no image belongs to '{name}'{hint}"


def _crossed(row: Row, limits: dict, kind: str) -> Iterator[str]:
    """Sentences about the limits of a kind, `flag` or `exclude`, that the row's measures lie beyond."""
    for measure, own in limits.items():
        side = beyond(number(row, measure), own[kind])
        if side:
            yield f"{measure} {row[measure]} is {side}"


def beyond(value: float, pair: Sequence[float | None] | None) -> str:
    """`below 900` or `above 2200` when a value lies outside a pair of limits, else nothing; NaN is never outside."""
    low, high = pair or (None, None)
    if low is not None and value < low:
        return f"below {low:g}"
    return f"above {high:g}" if high is not None and value > high else ""


def outliers(rows: Sequence[Row], threshold: float) -> dict[int, list[str]]:
    """Sentences about the measures of a row that lie far from those of the other images of its modality, by place of the row.

    Args:
        rows: of one cohort.
        threshold: modified z-score from which on a value is far.
    """
    found: dict[int, list[str]] = {}
    modalities = sorted({row["modality"] for row in rows})
    for modality, (measure, side) in itertools.product(modalities, OUTLIER_SIDES.items()):
        places = [p for p, row in enumerate(rows) if row["modality"] == modality and not math.isnan(number(row, measure))]
        values = np.array([number(rows[place], measure) for place in places])
        for place, score in zip(places, modified_z(values), strict=True):
            if score < -threshold or (side == "both" and score > threshold):
                median = f"median {np.median(values):.4g} of {len(values)} {modality} images"
                text = f"{measure} {rows[place][measure]} is an outlier ({median}, z {score:.1f})"
                found.setdefault(place, []).append(text)
    return found


def modified_z(values: np.ndarray) -> np.ndarray:
    """Scores of values among themselves, see `scores`.

    Args:
        values: (N,).
    """
    return scores(values, _usual(values)) if values.size else np.zeros(0)


def scores(values: np.ndarray, known: dict[str, float]) -> np.ndarray:
    """Distance to the median in robust standard deviations (Iglewicz and Hoaglin 1993, ISBN 0-87389-247-X, section 3.3).

    Zeros where there are too few values, or where more than half of them are equal, to say what is far.

    Args:
        values: (N,).
        known: what is usual, from `usual`.
    """
    if known["images"] < FEWEST_FOR_OUTLIERS or known["mad"] == 0:
        return np.zeros(len(values))
    return NORMAL_MAD * (values - known["median"]) / known["mad"]


def usual(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, float]]]:
    """Median, median absolute deviation and number of values of every measure, by modality."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    modalities = sorted({row["modality"] for row in rows})
    for modality, measure in itertools.product(modalities, quality_measures.MEASURES):
        known = [number(row, measure) for row in rows if row["modality"] == modality]
        values = np.array([value for value in known if not math.isnan(value)])
        if values.size:
            found.setdefault(modality, {})[measure] = _usual(values)
    return found


def _usual(values: np.ndarray) -> dict[str, float]:
    middle = float(np.median(values))
    return {"median": middle, "mad": float(np.median(np.abs(values - middle))), "images": values.size}


def number(row: Row, measure: str) -> float:
    """A measure of a row, NaN where the row has none."""
    return float(row.get(measure) or "nan")
