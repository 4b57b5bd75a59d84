"""One set of maps, every Dice of the literature: what the choice of protocol does to the numbers and to the order of methods."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats

from madad.evaluation.results.collected import block_title
from madad.evaluation.results.metric import Measure
from madad.evaluation.results.metric_table import AUPRC, DICE, DICE_POOLED, DICE_SLICE
from madad.evaluation.results.protocol_table import (
    AFTER_STEPS,
    CONFORMAL,
    HEALTHY_FPR_1,
    HEALTHY_FPR_5,
    ONE_FALSE_POSITIVE,
    ORACLE_SLICE,
    ORACLE_SUBJECT,
    ORACLE_TEST,
    POOLED_BEST,
    STEPS,
    VALIDATION,
    after_step,
)
from madad.evaluation.statistics.ranks import order_changes
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.layout import frames, style
from madad.reporting.layout.table_writer import Cell, Column, number
from madad.reporting.tables.ceilings import ceiling_lines
from madad.reporting.tables.notes import SUMMARY_NOTE, absent_notes, bold_notes, empty_note, missing_notes
from madad.reporting.tables.results import by_block, measured, named, write_all

LABELS = "†"  # marks what has seen the labels of the test set
LONG_NAME = 14  # letters of a method's name beyond which the names of protocols no longer fit side by side


@dataclass(frozen=True)
class Protocol:
    """One way to turn maps into a Dice.

    Attributes:
        measure: the Dice.
        title: in the table.
        short: under the figure, in two lines.
        used: by whom, or what for.
    """

    measure: Measure
    title: str
    short: str
    used: str

    @property
    def key(self) -> str:
        """Name of the measure in the summary."""
        return self.measure.key

    @property
    def sees(self) -> bool:
        """Whether the threshold has seen the labels of the test set."""
        return self.measure.protocol.oracle

    @property
    def heading(self) -> str:
        """Title with its mark."""
        return f"{self.title}{LABELS}" if self.sees else self.title


# In the order of columns: the main protocol, the others that see no test label, and the oracles.
PROTOCOLS = (
    Protocol(DICE @ VALIDATION, "Validation", "validation\n(main)", "the main protocol here; as by Behrendt et al."),
    Protocol(DICE @ HEALTHY_FPR_1, "Healthy FPR 1 %", "healthy\nFPR 1 %", "as by Bercea et al. and by FAE"),
    Protocol(DICE @ HEALTHY_FPR_5, "Healthy FPR 5 %", "healthy\nFPR 5 %", "as by Bercea et al. and by FAE"),
    Protocol(
        DICE @ CONFORMAL,
        "Conformal FPR 1 %",
        "conformal\nFPR 1 %",
        "holds for new scans of the same kind as the healthy validation scans",
    ),
    Protocol(DICE @ ONE_FALSE_POSITIVE, "One FP a scan", "one FP\na scan", "an operating point of lesion detection"),
    Protocol(
        DICE_POOLED @ POOLED_BEST,
        "Pooled voxels",
        "pooled\nvoxels",
        "as by Baur et al., UPD, DAE and MedIAnomaly, whose thresholds saw the test labels as well",
    ),
    Protocol(
        DICE @ POOLED_BEST,
        "Mean at the pooled best",
        "mean at\npooled best",
        "of no paper here: the mean at a threshold that maximises something else",
    ),
    Protocol(
        DICE @ ORACLE_TEST,
        "Best mean",
        "best\nmean",
        "as by Frotscher et al. (optimal), whose threshold saw the test labels as well",
    ),
    Protocol(
        DICE_SLICE @ ORACLE_SLICE,
        "Lesion slices",
        "lesion\nslices",
        "as by MAD-AD, whose threshold saw the test labels as well, Synomaly and Wolleb et al.",
    ),
    Protocol(DICE @ ORACLE_SUBJECT, "Each subject's best", "subject's\nbest", "the best Dice of some papers"),
)
# AUPRC, Dice at the validation threshold and at the oracle's: without any step, after each alone, and after all of them.
POST_COLUMNS = (
    *((AUPRC @ after_step(step), f"AUPRC, {step}") for step in STEPS if after_step(step) in AFTER_STEPS),
    *((DICE @ after_step(step, VALIDATION), f"Dice, validation, {step}") for step in STEPS),
    *((DICE @ after_step(step, ORACLE_TEST), f"Dice, oracle{LABELS}, {step}") for step in STEPS),
)
WHAT_NOTE = (
    "The same maps under every protocol; only the choice of the threshold and the way of averaging differ. Thresholds are chosen "
    "before small components are removed; pooled voxels and lesion slices keep these."
)
LABELS_NOTE = f"{LABELS} The threshold has seen the labels of the test set: a ceiling, not a result."
POOLED_NOTE = "Pooled voxels and lesion slices are numbers of the whole test set: no interval over subjects, no winner."
POST_NOTE = (
    "The same maps without post-processing, smoothed by a Gaussian of 2 mm in the axial plane, after each step of the published "
    "post-processing alone, and after all of them (chain): erosion of the brain mask by 6 mm, median over 10 mm, removal of "
    "components below 56 mm³. Only voxels that have a score count. "
    "Removal acts on masks: it has no AUPRC of its own. Intervals are in summary.csv."
)


def write_protocols(
    summary: Path, bases: Mapping[str, str], csv: Path, tex: Path, html: Path, ceilings: Path | None = None, empty: str = "madad"
) -> None:
    """Write Dice of every method under every protocol of the literature.

    Args:
        summary: see `madad.evaluation.statistics.summary`.
        bases: card of each method's name.
        ceilings: summary of the reference masks.
        empty: name of the convention for empty masks that was scored by.
    """
    lines = _of(summary, [protocol.measure for protocol in PROTOCOLS])
    columns = [
        Column("Method", number=False),
        *(Column(one.heading, f"{one.measure.note}; {one.used}") for one in PROTOCOLS),
    ]

    def row(method: str, own: pd.DataFrame) -> list[Cell]:
        return [named(method, bases), *(measured(own, one.measure) for one in PROTOCOLS)]

    missing = absent_notes(read_summary(summary), [one.measure for one in PROTOCOLS])
    missing += missing_notes(read_summary(summary), [one.measure for one in PROTOCOLS])
    notes = [WHAT_NOTE, LABELS_NOTE, POOLED_NOTE, empty_note(empty), SUMMARY_NOTE, *bold_notes(lines), *_flips(lines), *missing]
    highest = ceiling_lines(ceilings, [one.measure for one in PROTOCOLS])
    write_all(by_block("Protocol matrix: Dice", columns, lines, row, notes, bases, highest), csv, tex, html)


def write_post_processing(
    summary: Path, bases: Mapping[str, str], csv: Path, tex: Path, html: Path, ceilings: Path | None = None, empty: str = "madad"
) -> None:
    """Write AUPRC and Dice after every step of the post-processing alone, and after all of them.

    Args:
        summary, bases, ceilings, empty: as for the protocols.
    """
    lines = _of(summary, [measure for measure, _ in POST_COLUMNS])
    columns = [Column("Method", number=False), *(Column(title, measure.note) for measure, title in POST_COLUMNS)]

    def row(method: str, own: pd.DataFrame) -> list[Cell]:
        return [named(method, bases), *(_bare(own, measure) for measure, _ in POST_COLUMNS)]

    highest = ceiling_lines(ceilings, [measure for measure, _ in POST_COLUMNS])
    notes = [POST_NOTE, LABELS_NOTE, empty_note(empty)]
    write_all(by_block("Post-processing", columns, lines, row, notes, bases, highest), csv, tex, html)


def _bare(own: pd.DataFrame, measure: Measure) -> Cell:
    """Return a value without its interval, with which the table would not fit a page."""
    return number(own.loc[measure.key, "value"] if measure.key in own.index else math.nan)


def _of(summary: Path, shown: list[Measure]) -> pd.DataFrame:
    lines = read_summary(summary)
    return lines[lines["measure"].isin([measure.key for measure in shown])]


def _wide(part: pd.DataFrame) -> pd.DataFrame:
    """Return the values of a block, a row per method, a column per protocol in the order of `PROTOCOLS`; NaN where missing."""
    return part.pivot(index="method", columns="measure", values="value").reindex(columns=[one.key for one in PROTOCOLS])


def reference(values: pd.DataFrame) -> str | None:
    """Return the protocol that the others are compared with: the first of `PROTOCOLS` under which methods have values."""
    return next((one.key for one in PROTOCOLS if values[one.key].notna().sum() > 1), None)


def _flips(lines: pd.DataFrame) -> list[str]:
    """Return how many pairs of methods change their order against the reference protocol, one sentence per block."""
    sentences = []
    for block, part in frames.blocks(lines).items():
        values = _wide(part)
        main = reference(values)
        if main is None:
            continue
        counted = {
            one: order_changes(values[main].to_numpy(), values[one.key].to_numpy()) for one in PROTOCOLS if one.key != main
        }
        changes = [f"{one.title} {changed} of {pairs}" for one, (changed, pairs) in counted.items() if pairs]
        title = next(one.title for one in PROTOCOLS if one.key == main)
        sentences.append(
            f"{block_title(*block)}: pairs ordered otherwise than by {title}: {', '.join(changes) or 'nothing to hold against'}."
        )
    return sentences


def draw_protocols(summary: Path, png: Path, pdf: Path) -> None:
    """Draw the rank of every method under every protocol, a panel per test set, with the number of pairs that change their order.

    The number is Kendall's tau distance to the main protocol, of the pairs that both order.

    Args:
        summary: see `madad.evaluation.statistics.summary`.
    """
    lines = _of(summary, [protocol.measure for protocol in PROTOCOLS])
    parts = [(block, _wide(part)) for block, part in frames.blocks(lines).items()]
    if not parts:
        style.save(style.empty("No evaluation yet"), png, pdf)
        return
    most = max(len(values) for _, values in parts)
    looks = sorted(lines["method"].unique())
    tilted = max(map(len, looks)) > LONG_NAME
    figure, axes = style.grid(len(parts), (style.PAGE, 0.2 * most + (1.6 if tilted else 1.25)), 1)
    for one, (block, values) in zip(axes, parts, strict=True):
        one.set_title(block_title(*block), fontweight="bold", fontsize=9.5, pad=22)
        _bump(one, values, looks, tilted)
    style.save(figure, png, pdf)


def _bump(axes: plt.Axes, values: pd.DataFrame, looks: list[str], tilted: bool) -> None:
    main = reference(values)
    if main is None:
        axes.axis("off")
        style.say(axes, "one method only: nothing to rank" if values.notna().any(axis=None) else "no value under any protocol")
        return
    colour, marker = style.colours(looks), style.markers(looks)
    values = values.mask(values.isna() | (values.notna().sum() < 2))  # one method with a value cannot be ranked
    ranked = stats.rankdata(-values.round(12).to_numpy(), axis=0, nan_policy="omit")
    places = np.arange(len(PROTOCOLS))
    for method, own in zip(values.index, ranked, strict=True):
        axes.plot(places, own, color=colour[method], lw=1.6, alpha=0.9, zorder=2, clip_on=False)
        axes.plot(places, own, marker[method], color=colour[method], ms=6, mec="white", mew=0.7, zorder=3, clip_on=False)
    _name_ends(axes, values.index, ranked, colour)
    _count_changes(axes, values, main)
    first_oracle = next(place for place, protocol in enumerate(PROTOCOLS) if protocol.sees)
    axes.axvspan(first_oracle - 0.5, len(PROTOCOLS) - 0.75, color="#f2f2f2", zorder=0, lw=0)
    axes.set(ylim=(len(values) + 0.5, 0.5), xlim=(-0.5, len(PROTOCOLS) - 0.5), yticks=[])
    words = [f"{one.short}{LABELS}" if one.sees else one.short for one in PROTOCOLS]
    if tilted:
        axes.set_xticks(places, [text.replace("\n", " ") for text in words], rotation=30, ha="right", fontsize=8)
    else:
        axes.set_xticks(places, words, fontsize=8)
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _count_changes(axes: plt.Axes, values: pd.DataFrame, main: str) -> None:
    """Write above each protocol how many pairs of methods it orders otherwise than the reference does."""
    for place, protocol in enumerate(PROTOCOLS):
        changed, pairs = order_changes(values[main].to_numpy(), values[protocol.key].to_numpy())
        otherwise = "all tied" if values[protocol.key].notna().any() else "no value"
        text = "reference" if protocol.key == main else f"{changed} of {pairs}" if pairs else otherwise
        axes.text(place, 0.35, text, ha="center", va="bottom", fontsize=7.5, color=style.GREY)
    axes.text(-0.65, 0.35, "pairs reordered", ha="right", va="bottom", fontsize=7.5, color=style.GREY)


def _name_ends(axes: plt.Axes, methods: pd.Index, ranked: np.ndarray, colour: dict[str, str]) -> None:
    """Write the names at both ends, a line each, tied to the outermost point of the method."""
    known = np.flatnonzero(np.isfinite(ranked).any(axis=0))
    for outward, side, columns in ((-1, "right", known), (1, "left", known[::-1])):
        first = {
            method: next((c for c in columns if np.isfinite(own[c])), None) for method, own in zip(methods, ranked, strict=True)
        }
        ends = {
            method: (own[first[method]], method) for method, own in zip(methods, ranked, strict=True) if first[method] is not None
        }
        for slot, method in enumerate(sorted(ends, key=lambda name: ends[name]), start=1):
            at = columns[0] + 0.42 * outward
            axes.plot([at, first[method]], [slot, ends[method][0]], color=colour[method], lw=0.8, ls=":", zorder=1, clip_on=False)
            axes.text(at + 0.05 * outward, slot, method, ha=side, va="center", fontsize=8)
