"""Detection by lesion volume, contrast, place, acquisition site, age and sex, and the table of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from madad.evaluation.metrics.empty_masks import OURS
from madad.evaluation.results.collected import block_title, read_metrics
from madad.evaluation.results.metric import Measure
from madad.evaluation.results.metric_table import AUPRC, DICE
from madad.evaluation.results.protocol_table import PER_SUBJECT, VALIDATION
from madad.evaluation.results.sample_covariates import read_samples
from madad.evaluation.statistics import method_order
from madad.evaluation.statistics.intervals import Interval, Scale, mean_interval
from madad.evaluation.statistics.per_subject import blocks, of_method, side_by_side
from madad.reporting.layout.table_writer import NOTHING, Cell, Column, Table, interval
from madad.reporting.tables.notes import empty_note
from madad.reporting.tables.results import write_all

MEASURES = (AUPRC @ PER_SUBJECT, DICE @ VALIDATION)
# More values than these are put into quarters, more sites are taken together.
MOST_LEVELS = 6
AGES = ((0, 40, "< 40 y"), (40, 60, "40–59 y"), (60, np.inf, "≥ 60 y"))
NOTE = (
    "Mean over the subjects of a stratum with its 95 % interval over subjects (none below six); samples with a lesion alone. "
    "Contrast is measured on what methods see, its sign taken off: against the healthy image for implanted lesions, against the "
    "tissue around them for real ones. "
    "Strata differ in more than what they are named after, and few subjects make wide intervals: read them as questions."
)

Levels = list[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Stratum:
    """Some samples of a test set.

    Attributes:
        factor: by what they are chosen; `level`: and which value of it they have.
        ordered: whether the levels of the factor have an order.
        samples: names.
        subjects: how many they belong to.
    """

    factor: str
    level: str
    ordered: bool
    samples: tuple[str, ...]
    subjects: int


def _by_number(values: np.ndarray, unit: str) -> Levels:
    """Return a level for each value, or quarters of equally many where there are too many values."""
    known = np.unique(values[np.isfinite(values)])
    if known.size <= MOST_LEVELS:
        return [(f"{value:g}{unit}", values == value) for value in known]
    edges = np.nanquantile(values, (0.25, 0.5, 0.75))
    quarter = np.where(np.isfinite(values), np.searchsorted(edges, values, side="left"), -1)
    chosen = [quarter == number for number in range(4)]
    return [(f"{values[own].min():.2g}–{values[own].max():.2g}{unit}", own) for own in chosen if own.any()]


def _by_text(values: np.ndarray) -> Levels:
    names, numbers = np.unique(values[values != ""], return_counts=True)
    kept = names if names.size <= MOST_LEVELS else np.sort(names[np.argsort(-numbers, kind="stable")][: MOST_LEVELS - 1])
    levels = [(str(name).replace("_", " "), values == name) for name in kept]
    rest = (values != "") & ~np.isin(values, kept)
    return [*levels, (f"{names.size - kept.size} others", rest)] if rest.any() else levels


def _by_age(years: np.ndarray) -> Levels:
    bands = [(name, (years >= low) & (years < high)) for low, high, name in AGES]
    return [(name, own) for name, own in bands if own.any()]


def _volumes(samples: pd.DataFrame) -> np.ndarray:
    """Return the volume as ordered for implanted lesions, as measured for others."""
    ordered = samples["volume_ml"].to_numpy()
    return ordered if np.isfinite(ordered).all() else samples["lesion_ml"].to_numpy()


# Name, whether its levels have an order, and how samples are divided by it.
FACTORS: tuple[tuple[str, bool, Callable[[pd.DataFrame], Levels]], ...] = (
    ("Lesion volume", True, lambda samples: _by_number(_volumes(samples), " ml")),
    ("Contrast", True, lambda samples: _by_number(np.abs(samples["contrast"].to_numpy()), "")),
    ("Place", False, lambda samples: _by_text(samples["place"].to_numpy())),
    ("Site", False, lambda samples: _by_text(samples["site"].to_numpy())),
    ("Age", True, lambda samples: _by_age(samples["age"].to_numpy())),
    ("Sex", False, lambda samples: _by_text(samples["sex"].to_numpy())),
)


def strata_of(samples: pd.DataFrame) -> tuple[list[Stratum], list[str]]:
    """Return the strata of a test set, and notes on what could not be divided or is not known of all samples.

    Args:
        samples: rows of `madad.evaluation.results.sample_covariates` of samples with a lesion, of one test set.
    """
    found, notes = [], []
    for factor, ordered, divide in FACTORS:
        levels = divide(samples) if len(samples) else []
        known = sum(int(own.sum()) for _, own in levels)
        if known == 0:
            notes.append(f"{factor.lower()} unknown")
        elif len(levels) == 1:
            notes.append(f"{factor.lower()} the same throughout ({levels[0][0]})")
        else:
            found += [_stratum(factor, level, ordered, samples[own]) for level, own in levels]
        if 0 < known < len(samples):
            notes.append(f"{factor.lower()} unknown for {len(samples) - known} of {len(samples)} samples")
    return found, notes


def _stratum(factor: str, level: str, ordered: bool, own: pd.DataFrame) -> Stratum:
    return Stratum(factor, level, ordered, tuple(own["sample"]), own["subject"].nunique())


@dataclass(frozen=True)
class Divided:
    """A test set in strata.

    Attributes:
        strata: all samples first, then by factor.
        notes: what could not be divided.
        methods: in the order of the long table.
        values: interval of every (measure, method, place of a stratum).
    """

    strata: list[Stratum]
    notes: list[str]
    methods: list[str]
    values: dict[tuple[str, str, int], Interval]


def divided(metrics: Path, samples: Path, only: tuple | None = None) -> dict[tuple, Divided]:
    """Return every block with a sample that has a lesion, in the order of the long table.

    Args:
        metrics: see `madad.evaluation.results.collected`.
        samples: see `madad.evaluation.results.sample_covariates`.
        only: the one block to divide; None for all.
    """
    table, known = read_metrics(metrics), read_samples(samples)
    frames = {
        (measure.key, block): side_by_side(part) for measure in MEASURES for block, part in blocks(table, measure) if len(part)
    }
    found = {}
    for block in method_order.blocks_in(table):
        own = {measure.key: frames[measure.key, block] for measure in MEASURES if (measure.key, block) in frames}
        if own and only in (None, block):
            _, modality, testset = block
            here = known[(known["testset"] == testset) & (known["modality"] == modality)]
            methods = [method for method in method_order.methods_in(table) if any(method in frame for frame in own.values())]
            found[block] = _divide(block, own, here, methods)
    return found


def _divide(block: tuple, frames: dict[str, pd.DataFrame], samples: pd.DataFrame, methods: list[str]) -> Divided:
    scored = next(iter(frames.values())).index
    samples = samples[samples["sample"].isin(scored.get_level_values("sample"))]
    names = tuple(scored.get_level_values("sample"))
    everybody = Stratum("All", "all", False, names, scored.get_level_values("subject").nunique())
    strata, notes = strata_of(samples)
    strata = [everybody, *strata]
    values = {}
    for key, frame in frames.items():
        for place, stratum in enumerate(strata):
            inside = frame[frame.index.get_level_values("sample").isin(stratum.samples)]
            for method in methods:
                values[key, method, place] = _mean(inside, method, "share")
    return Divided(strata, notes, methods, values)


def _mean(frame: pd.DataFrame, method: str, scale: Scale) -> Interval:
    if method not in frame or frame.empty:
        return Interval(np.nan, np.nan, np.nan, 0)
    values, subjects, _ = of_method(frame, method)
    return mean_interval(values, subjects, scale)


def write_strata(metrics: Path, samples: Path, csv: Path, tex: Path, html: Path, empty: str = OURS.name) -> None:
    """Write AUPRC and Dice of every method in every stratum, a group per test set and measure, a column per method.

    Args:
        metrics, samples: as for `divided`.
        empty: name of the convention for empty masks that was scored by.
    """
    found = divided(metrics, samples)
    methods = list(dict.fromkeys(method for one in found.values() for method in one.methods))
    columns = [
        Column("Stratum", number=False),
        Column("Level", number=False),
        Column("Samples", "samples with a lesion"),
        Column("Subjects"),
        *(Column(method) for method in methods),
    ]
    groups = [
        (f"{block_title(*block)}: {measure.title}", list(_rows(one, measure, methods)))
        for block, one in found.items()
        for measure in MEASURES
    ]
    described = [f"{block_title(*block)}: {'; '.join(one.notes)}." for block, one in found.items() if one.notes]
    notes = [NOTE, empty_note(empty), *described] if found else ["No test subject has a marked lesion."]
    write_all(Table("Detection by stratum", columns, groups, notes, "Test set"), csv, tex, html)


def _rows(one: Divided, measure: Measure, methods: list[str]) -> Iterator[list[Cell]]:
    for place, stratum in enumerate(one.strata):
        numbers = (len(stratum.samples), stratum.subjects)
        values = [one.values.get((measure.key, method, place)) for method in methods]
        yield [
            Cell(stratum.factor),
            Cell(stratum.level, place),
            *(Cell(str(number), number) for number in numbers),
            *(Cell(NOTHING, np.nan) if own is None else interval(own.value, own.low, own.high) for own in values),
        ]
