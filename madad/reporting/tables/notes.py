"""The sentences below tables of a benchmark: what values, intervals and bold mean, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from madad.core.validation_parts import FEWEST
from madad.evaluation.metrics.empty_masks import convention
from madad.evaluation.metrics.thresholds import REASONS
from madad.evaluation.results.collected import BLOCK, block_title
from madad.evaluation.results.measures import by_key
from madad.evaluation.results.metric import Measure
from madad.evaluation.results.metric_table import NO_VALUE, SHARED_VALIDATION, UNMARKED
from madad.evaluation.results.protocol_table import POOLED, Protocol
from madad.reporting.layout import frames

SUMMARY_NOTE = (
    "Mean over test subjects with its 95 % interval (Student's t on a logit or logarithmic scale, samples clustered by subject; "
    "with several seeds, over seeds and subjects); no interval below six subjects, nor where all agree. n: subjects behind it. "
    "Subjects are the unit: their samples and seeds are averaged first."
)
BOLD_NOTE = (
    "Bold: beats every other method of its track (labels that training sees) with a value in its block, outside the noise of "
    "subjects and of training (Wilcoxon, and a mixed model with seeds and subjects as random effects, both p < 0.05 after Holm). "
    "Without bold no method does. Floors (track none), which learn nothing, are never bold."
)
ORACLE_NOTE = "Oracle thresholds have seen the test labels: ceilings, not results."


def head(block: tuple[str, str, str], lines: pd.DataFrame) -> str:
    """Return the heading of a block with the numbers of subjects behind its values: `ixi, T1w (n = 12 with a lesion, 8 healthy)`.

    Args:
        block: training cohort, sequence, test set.
        lines: of the summary, of this block.
    """
    groups = lines["measure"].map({key: measure.metric.groups for key, measure in by_key().items()})
    most = lines.groupby(groups)["subjects"].max()
    shown = {"patients": "with a lesion", "healthy": "healthy", "both": "in all"}
    told = [f"{most[group]:.0f} {words}" for group, words in shown.items() if most.get(group, 0) > 0]
    if len(told) > 1 and "patients" in most:
        told = told[:-1] if told[-1].endswith("in all") else told
    return f"{block_title(*block)} (n = {', '.join(told)})" if told else block_title(*block)


def bold_notes(lines: pd.DataFrame) -> list[str]:
    """Return what bold means, and for which methods a single training run leaves it undecided.

    Args:
        lines: of the summary.
    """
    unknown = list(dict.fromkeys(lines.loc[lines["training_noise"] == "unknown", "method"]))
    if not unknown:
        return [BOLD_NOTE]
    names = ", ".join(unknown)
    return [
        BOLD_NOTE,
        f"One training run (seed) of {names}: how far another training would move its numbers is unknown, so that no method is "
        "set in bold by comparison with it, nor is it. Intervals are those of these trained models on other subjects.",
    ]


def empty_note(name: str) -> str:
    """Return the convention for empty masks behind a table.

    Raises:
        UserError: there is none of this name.
    """
    return f"Empty masks: {convention(name).note} (evaluation.empty_masks: {name})."


def unmarked_notes(lines: pd.DataFrame) -> list[str]:
    """Return how many test scans have no reference mask, and so no part in what needs one; a line per test set."""
    counted = lines[(lines["measure"] == UNMARKED.name) & (lines["value"] > 0)]
    return [
        f"{block_title(*block)}: {part['value'].max():.0f} "
        "scans, of patients or of people of an unknown group, have no reference mask and stay out of all that needs one."
        for block, part in counted.groupby(list(BLOCK), sort=False)
    ]


def shared_notes(lines: pd.DataFrame) -> list[str]:
    """Return where the same healthy validation subjects choose checkpoint and thresholds; a line per test set."""
    counted = lines[(lines["measure"] == SHARED_VALIDATION.name) & (lines["value"] > 0)]
    least = ", ".join(f"{fewest} for {part}" for part, fewest in FEWEST.items())
    return [
        f"{block_title(*block)}: {part['value'].max():.0f} healthy validation subjects are too few for parts of their own "
        f"({least}): the choice of the checkpoint, the thresholds of the healthy and the conformal calibration share them."
        for block, part in counted.groupby(list(BLOCK), sort=False)
    ]


def summary_notes(lines: pd.DataFrame, shown: Sequence[Measure], *others: str) -> list[str]:
    """Return the notes of a table of the summary: what its numbers and bold mean, `others`, what has no value and why."""
    about = [SUMMARY_NOTE, *bold_notes(lines), *others, *unmarked_notes(lines), *shared_notes(lines)]
    return [*about, *absent_notes(lines, shown), *missing_notes(lines, shown)]


def absent_notes(lines: pd.DataFrame, shown: Sequence[Measure]) -> list[str]:
    """Return why columns have no value under any method, as the evaluation recorded it; one line per test set and reason.

    Args:
        lines: the whole summary.
    """
    notes = []
    for block, part in frames.blocks(lines).items():
        titles: dict[str, list[str]] = {}
        for measure in shown:
            if reason := _why_absent(part, measure):
                titles.setdefault(reason, []).append(measure.title)
        notes += [f"{block_title(*block)}: no value of {'; '.join(names)}: {reason}." for reason, names in titles.items()]
    return notes


def missing_notes(lines: pd.DataFrame, shown: Sequence[Measure]) -> list[str]:
    """Return which values are not in a mean, so that none is dropped in silence; one line per test set and measure.

    What `absent_notes` explains is left to it.
    """
    notes, measures = [], {measure.key: measure for measure in shown}
    whole = frames.blocks(lines)
    for (*block, key), part in lines[lines["measure"].isin(measures)].groupby([*BLOCK, "measure"], sort=False):
        without = part[part["missing"] > 0]
        if without.empty or _why_absent(whole[block[0], block[1], block[2]], measures[key]):
            continue
        counts = ", ".join(f"{method} {missing}" for method, missing in zip(without["method"], without["missing"], strict=True))
        if len(without) == len(part) and without["missing"].nunique() == 1:
            counts = f"{without['missing'].iloc[0]} under every method"
        title = f"{block_title(*block)}, {measures[key].title}"
        notes.append(f"{title}: samples without a value: {counts}; the reason is in the log of the evaluation.")
    return notes


def _why_absent(part: pd.DataFrame, measure: Measure) -> str:
    """Return the recorded reason why no method of a block has a value of a measure; empty where one has, or none is recorded."""
    if part.loc[part["measure"] == measure.key, "value"].notna().any():
        return ""
    recorded = part.set_index("measure")["value"]
    codes = [recorded[key].max() for protocol in _recorded(measure) if (key := (NO_VALUE @ protocol).key) in recorded]
    return next((REASONS[int(code) - 1] for code in codes if code > 0), "")


def _recorded(measure: Measure) -> list[Protocol]:
    """Return the protocols whose reasons hold for a measure: that of its threshold, and of lesions for what is of them alone."""
    own, ranking = measure.protocol.name, measure.metric.family == "ranking"
    cut = [one for one in NO_VALUE.summarised if not ranking and (own == one.name or own.endswith(f"_{one.name}"))]
    return [*cut, *([POOLED] if measure.metric.groups == "patients" else [])]
