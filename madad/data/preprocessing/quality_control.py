"""Quality control: limits and outliers of the quality measures decide which images are used, unless a person overrules them.

No image is opened here: a changed limit takes seconds, and no image is registered again.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from madad.core.errors import did_you_mean
from madad.core.io.manifest import Row, image_name, read_table, write_table
from madad.core.logs import say, warn
from madad.core.provenance import write_json
from madad.data.preprocessing import quality_columns

VERDICTS = ("ok", "flagged", "excluded", "failed")
# Verdicts of the images that are packed and that the intensity model is fitted to.
USABLE = ("ok", "flagged")
COLUMNS = (*quality_columns.COLUMNS, "verdict", "verdict_reason")

# The side on which an outlier is flagged: an overlap that is better than all others is not.
OUTLIER_SIDES = {
    "brain_volume_ml": "both",
    "template_dice": "low",
    "reference_dice": "low",
    "registration_nmi": "low",
    "alignment_nmi": "low",
}
# With fewer images the usual range is unknown.
FEWEST_FOR_OUTLIERS = 10
# Median absolute deviation of a standard normal variable, which converts the score to standard deviations.
NORMAL_MAD = 0.6745


def judge(tables: Sequence[Path], options: dict, cohort: str, out: Path, record: Path) -> None:
    """Write all rows of a cohort with their verdicts, and a record of how they were decided.

    Args:
        tables: tables of the shards.
        options: `limits`, `outlier_z`, and the cohort's own lists `exclude` and `keep`.
        cohort: name of the cohort.
        out: table with `verdict` (one of `VERDICTS`) and `verdict_reason` to write.
        record: JSON to write, with the options, the number of images per verdict, the names in the lists that no image has, and
            the usual values of every measure.
    """
    rows = [row for table in tables for row in read_table(table)]
    rows.sort(key=lambda row: (image_name(row), row["modality"]))
    judged = verdicts(rows, options)
    counts = {verdict: sum(row["verdict"] == verdict for row in judged) for verdict in VERDICTS}
    unknown = list(_unknown_names(rows, options, cohort))
    for line in unknown:
        warn(line)
    for row in judged:
        if row["verdict"] == "excluded":
            warn(f"{cohort}: {image_name(row)} {row['modality']} is excluded: {row['verdict_reason']}")
    write_table(out, judged, COLUMNS)
    write_json(record, {"cohort": cohort, **options, "counts": counts, "strangers": unknown, "usual": usual(rows)})
    say(f"{cohort}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def select(tables: Sequence[Path], options: dict, split: str, out: Path) -> None:
    """Write the rows of a split with verdicts that tell which images are used.

    Args:
        tables: tables of the shards.
        options: as of `selected`.
        split: of the rows.
        out: table to write, with the columns of that of `judge`.
    """
    write_table(out, selected(tables, options, split), COLUMNS)


def selected(tables: Sequence[Path], options: dict, split: str) -> list[Row]:
    """Return the rows of a split with verdicts that tell which images are used: limits that only flag are not applied.

    Args:
        tables: tables of the shards.
        options: `limits`, for every measure the pair that excludes; the cohort's own lists `exclude` and `keep`.
        split: of the rows.
    """
    rows = [row for table in tables for row in read_table(table)]
    rows.sort(key=lambda row: (image_name(row), row["modality"]))
    limits = {measure: {"flag": None, "exclude": pair} for measure, pair in options["limits"].items()}
    judged = verdicts(rows, {**options, "limits": limits, "outlier_z": None})
    return [row for row in judged if row["split"] == split]


def verdicts(rows: Sequence[Row], options: dict) -> list[Row]:
    """Return the rows in their order, each with its verdict and the reasons for it."""
    rows = _with_visits(rows)
    rows = [_alone(row, common) for row, common in zip(rows, _common_grids(rows), strict=True)]
    far = outliers(rows, options["outlier_z"]) if options["outlier_z"] else {}
    return [{**row, **_verdict(row, options, far.get(number, []))} for number, row in enumerate(rows)]


def _with_visits(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with `visit_ratio`: the brain volume divided by the median of the same person's other visits.

    The volume within the skull is that of the person, so that a mask that leaked at one visit differs from those of the others.
    """
    own: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["status"] == "ok" and not math.isnan(number(row, "brain_volume_ml")):
            own.setdefault((row["subject"], row["modality"]), []).append(row)
    compared = []
    for row in rows:
        visits = own.get((row["subject"], row["modality"]), []) if row["status"] == "ok" else []
        others = [number(other, "brain_volume_ml") for other in visits if other["session"] != row["session"]]
        known = bool(others) and not math.isnan(number(row, "brain_volume_ml"))
        ratio = {"visit_ratio": f"{number(row, 'brain_volume_ml') / float(np.median(others)):.4f}"} if known else {}
        compared.append({**row, **ratio})
    return compared


def _common_grids(rows: Sequence[Row]) -> list[str]:
    """Return the commonest grid of the images of each row's sequence; empty for images on the template's grid."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        if row["status"] == "ok" and row.get("grid"):
            counts.setdefault(row["modality"], Counter())[row["grid"]] += 1
    # Of two grids that are equally common the first by name is taken, whatever the order of the rows.
    common = {modality: min(own, key=lambda grid: (-own[grid], grid)) for modality, own in counts.items()}
    return [common.get(row["modality"], "") for row in rows]


def _alone(row: Row, common: str) -> Row:
    """Return a row as failed if its image does not lie on the grid that the others have, as no pack can hold both."""
    if row["status"] != "ok" or row.get("grid", "") == common:
        return row
    return {**row, "status": "failed", "reason": f"the image has {row['grid']}, the common space of the others {common}"}


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
    """Return whether a list names the row's subject, its session (`sub-01_ses-1`) or only the image (`sub-01_ses-1_FLAIR`)."""
    return not set(names).isdisjoint(_names(row))


def _names(row: Row) -> tuple[str, str, str]:
    return row["subject"], image_name(row), f"{image_name(row)}_{row['modality']}"


def _unknown_names(rows: Sequence[Row], options: dict, cohort: str) -> Iterator[str]:
    """Yield warnings about listed names that no image has: no error, as a list may have more subjects than are used."""
    known = {name for row in rows for name in _names(row)}
    for key in ("exclude", "keep"):
        for name in sorted(set(options[key]) - known):
            hint = f", did you mean 'sub-{name}'?" if f"sub-{name}" in known else did_you_mean(name, known)
            yield f"quality.{key}.{cohort}: no image belongs to '{name}'{hint}"


def _crossed(row: Row, limits: dict, kind: str) -> Iterator[str]:
    """Yield sentences about the limits of a kind, `flag` or `exclude`, that the row's measures cross."""
    for measure, own in limits.items():
        side = beyond(number(row, measure), own[kind])
        if side:
            yield f"{measure} {row[measure]} is {side}"


def beyond(value: float, pair: Sequence[float | None] | None) -> str:
    """Return `below 900` or `above 2200` for a value outside a pair of limits, else an empty text; NaN is never outside."""
    low, high = pair or (None, None)
    if low is not None and value < low:
        return f"below {low:g}"
    return f"above {high:g}" if high is not None and value > high else ""


def outliers(rows: Sequence[Row], threshold: float) -> dict[int, list[str]]:
    """Return sentences about measures that are outliers among the images of the same modality, by number of the row.

    Args:
        rows: rows of one cohort.
        threshold: modified z-score above which a value is an outlier.
    """
    found: dict[int, list[str]] = {}
    modalities = sorted({row["modality"] for row in rows})
    for modality, (measure, side) in itertools.product(modalities, OUTLIER_SIDES.items()):
        indices = [n for n, row in enumerate(rows) if row["modality"] == modality and not math.isnan(number(row, measure))]
        values = np.array([number(rows[index], measure) for index in indices])
        for index, score in zip(indices, modified_z(values), strict=True):
            if score < -threshold or (side == "both" and score > threshold):
                median = f"median {np.median(values):.4g} of {len(values)} {modality} images"
                text = f"{measure} {rows[index][measure]} is an outlier ({median}, z {score:.1f})"
                found.setdefault(index, []).append(text)
    return found


def modified_z(values: np.ndarray) -> np.ndarray:
    """Return the scores of values by their own median, see `scores`.

    Args:
        values: values of one measure, (N,).
    """
    return scores(values, _usual(values)) if values.size else np.zeros(0)


def scores(values: np.ndarray, known: dict[str, float]) -> np.ndarray:
    """Return the distance to the median in robust standard deviations.

    Iglewicz and Hoaglin 1993, ISBN 0-87389-247-X, section 3.3.

    All scores are 0 if there are too few values, or if more than half of them are equal.

    Args:
        values: values of one measure, (N,).
        known: usual values of the measure, from `usual`.
    """
    if known["images"] < FEWEST_FOR_OUTLIERS or known["mad"] == 0:
        return np.zeros(len(values))
    return NORMAL_MAD * (values - known["median"]) / known["mad"]


def usual(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, float]]]:
    """Return median, median absolute deviation and number of values of every measure, by modality."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    modalities = sorted({row["modality"] for row in rows})
    for modality, measure in itertools.product(modalities, quality_columns.MEASURES):
        known = [number(row, measure) for row in rows if row["modality"] == modality]
        values = np.array([value for value in known if not math.isnan(value)])
        if values.size:
            found.setdefault(modality, {})[measure] = _usual(values)
    return found


def _usual(values: np.ndarray) -> dict[str, float]:
    middle = float(np.median(values))
    return {"median": middle, "mad": float(np.median(np.abs(values - middle))), "images": values.size}


def number(row: Row, measure: str) -> float:
    """Return a measure of a row, NaN where the row has none."""
    return float(row.get(measure) or "nan")
