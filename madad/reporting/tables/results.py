"""The tables of a benchmark: headline, thresholds side by side, published protocols, cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from madad.configuration import cards
from madad.core.errors import UserError
from madad.evaluation.protocol.ceilings import under
from madad.evaluation.protocol.published_protocols import CHAINS
from madad.evaluation.results.collected import BLOCK, read_trainings
from madad.evaluation.results.measures import measures
from madad.evaluation.results.metric import Measure
from madad.evaluation.results.metric_table import AUPRC, AUROC, DICE, L1, PEAK_MEMORY_MB, SECONDS
from madad.evaluation.results.protocol_table import (
    HEALTHY_BRAIN,
    HEALTHY_FPR_1,
    HEALTHY_FPR_5,
    INFERENCE,
    ORACLE_SUBJECT,
    ORACLE_TEST,
    PER_SUBJECT,
    VALIDATION,
)
from madad.evaluation.results.protocol_table import PUBLISHED as PUBLISHED_PROTOCOL
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.layout import frames, table_writer
from madad.reporting.layout.table_writer import Cell, Column, Table, interval, number
from madad.reporting.tables.ceilings import CEILING_NOTE, ceiling_lines
from madad.reporting.tables.notes import (
    ORACLE_NOTE,
    SUMMARY_NOTE,
    absent_notes,
    empty_note,
    head,
    missing_notes,
    summary_notes,
)
from madad.reporting.tables.trainings import mean, of_block, parameters, start_notes, told

Row = Callable[[str, pd.DataFrame], list[Cell]]
MAIN = AUPRC @ PER_SUBJECT
HEADLINE = (
    MAIN,
    AUROC @ PER_SUBJECT,
    DICE @ ORACLE_TEST,
    DICE @ VALIDATION,
    L1 @ HEALTHY_BRAIN,
    SECONDS @ INFERENCE,
)
THRESHOLDS = tuple(DICE @ protocol for protocol in (VALIDATION, HEALTHY_FPR_1, HEALTHY_FPR_5, ORACLE_TEST, ORACLE_SUBJECT))
# Of the paper's protocol, and of ours beside it.
PUBLISHED = tuple(
    metric @ protocol
    for metric, ours in ((DICE, VALIDATION), (AUPRC, PER_SUBJECT), (L1, HEALTHY_BRAIN))
    for protocol in (PUBLISHED_PROTOCOL, ours)
)
COST = (SECONDS @ INFERENCE, PEAK_MEMORY_MB @ INFERENCE)
PARAMETERS = Column("Parameters (M)", "weights of the networks, in millions")
TRAINING_NOTE = (
    "wall time of one training run, mean over seeds, with that of the parts it is built from; "
    "methods that differ in their settings of inference alone share a training, which counts for each"
)
PUBLISHED_NOTE = (
    "Each method by the protocol of its own paper, from the same maps: to be read beside the paper's table. "
    "Protocols differ, so rows are not ranked by them. Empty masks, as in the papers' code and whatever evaluation.empty_masks "
    "says: the Dice of a subject in whom nothing is predicted is 0; without a lesion and a prediction there is none."
)


def write_headline(
    summary: Path,
    trainings: Sequence[Path],
    bases: Mapping[str, str],
    tracks: Mapping[str, str],
    csv: Path,
    tex: Path,
    html: Path,
    fragment: Path,
    ceilings: Path | None = None,
    empty: str = "madad",
) -> None:
    """Write the table that the report opens with.

    Args:
        summary: see `madad.evaluation.statistics.summary`.
        trainings: the `train.json` of every run.
        bases: card of each method's name.
        tracks: labels that the training of each method saw, and that of its parts.
        ceilings: summary of the reference masks.
        empty: name of the convention that was scored by.
    """
    lines, trained = read_summary(summary), read_trainings(trainings)
    columns = [
        Column("Method", number=False),
        Column("Track", "labels that training sees", number=False),
        *(titled(measure) for measure in HEADLINE),
        PARAMETERS,
        Column("Seeds", "training runs"),
        Column("SD over seeds", "standard deviation of the AUPRC over seeds"),
    ]

    def row(method: str, own: pd.DataFrame) -> list[Cell]:
        seeds, spread = _seeds(own)
        shown = [
            named(method, bases),
            Cell(tracks.get(method, table_writer.NOTHING)),
            *(measured(own, measure) for measure in HEADLINE),
        ]
        return [*shown, parameters(of_block(trained, method, own)), seeds, spread]

    notes = summary_notes(lines, HEADLINE, ORACLE_NOTE, empty_note(empty), *start_notes(trained))
    table = by_block(
        "Headline: every method on every test set", columns, lines, row, notes, bases, ceiling_lines(ceilings, HEADLINE)
    )
    write_all(table, csv, tex, html)
    table_writer.write_fragment(table, fragment)


def write_thresholds(
    summary: Path, bases: Mapping[str, str], csv: Path, tex: Path, html: Path, ceilings: Path | None = None, empty: str = "madad"
) -> None:
    """Write Dice under every way of choosing the threshold, from the same maps."""
    columns = [Column("Method", number=False), *(titled(measure) for measure in THRESHOLDS)]
    lines = read_summary(summary)

    def row(method: str, own: pd.DataFrame) -> list[Cell]:
        return [named(method, bases), *(measured(own, measure) for measure in THRESHOLDS)]

    notes = summary_notes(lines, THRESHOLDS, ORACLE_NOTE, empty_note(empty))
    highest = ceiling_lines(ceilings, THRESHOLDS)
    write_all(by_block("One set of maps, five thresholds: Dice", columns, lines, row, notes, bases, highest), csv, tex, html)


def write_published(
    summary: Path, bases: Mapping[str, str], csv: Path, tex: Path, html: Path, ceilings: Path | None = None
) -> None:
    """Write every method that has a protocol of its own: its numbers under that and under the common one."""
    lines = read_summary(summary)
    own_protocol = lines[lines["measure"].isin([measure.key for measure in measures() if measure.protocol == PUBLISHED_PROTOCOL])]
    lines = lines.merge(own_protocol[[*BLOCK, "method"]].drop_duplicates()).assign(best=0)
    columns = [
        Column("Method", number=False),
        Column("Protocol", "whose scoring it is", number=False),
        *(titled(measure) for measure in PUBLISHED),
    ]

    def row(method: str, own: pd.DataFrame) -> list[Cell]:
        chain = next((name for name in CHAINS if method == under(name)), None) or _chain(method, bases)
        return [named(method, bases), Cell(chain), *(measured(own, measure) for measure in PUBLISHED)]

    used = {_chain(method, bases) for method in lines["method"]}
    chains = [f"Protocol {name}: {chain.words}." for name, chain in CHAINS.items() if name in used]
    notes = [PUBLISHED_NOTE, *chains, SUMMARY_NOTE, *absent_notes(lines, PUBLISHED), *missing_notes(lines, PUBLISHED)]
    highest = ceiling_lines(ceilings, PUBLISHED)
    if highest is not None:
        highest = highest[highest["method"].isin([under(chain) for chain in used])]
    write_all(by_block("The papers' own protocols", columns, lines, row, notes, bases, highest), csv, tex, html)


def write_cost(
    summary: Path,
    all_trainings: Sequence[Path],
    bases: Mapping[str, str],
    all_parts: Mapping[str, Sequence[str]],
    csv: Path,
    tex: Path,
    html: Path,
) -> None:
    """Write what each method costs to train and to apply.

    Args:
        summary: see `madad.evaluation.statistics.summary`.
        all_trainings: the `train.json` of every run, of methods and of their parts.
        bases: card of each method's name.
        all_parts: names of everything that a method is built from, directly or not.
    """
    trained = read_trainings(all_trainings)
    columns = [
        Column("Method", number=False),
        *(titled(measure) for measure in COST),
        PARAMETERS,
        Column("Training (min)", TRAINING_NOTE),
        Column("Device", "where it was trained", number=False),
        Column("Started from", "weights before the first step", number=False),
    ]

    def row(method: str, own: pd.DataFrame) -> list[Cell]:
        runs = of_block(trained, method, own)
        parts = [mean(of_block(trained, part, own), "seconds") for part in all_parts.get(method, ())]
        minutes = (mean(runs, "seconds") + sum(parts)) / 60
        return [
            named(method, bases),
            *(measured(own, measure) for measure in COST),
            parameters(runs),
            number(minutes),
            *(Cell(told(runs, key)) for key in ("device_name", "started_from")),
        ]

    notes = ["Times depend on the machine and on what else it did; compare within one run.", SUMMARY_NOTE]
    write_all(by_block("Cost", columns, read_summary(summary), row, notes, bases), csv, tex, html)


def write_all(table: Table, csv: Path, tex: Path, html: Path) -> None:
    """Write a table in the three formats, and the numbers behind it beside the csv file."""
    table_writer.write_csv(table, csv)
    table_writer.write_numbers(table, table_writer.numbers_beside(csv))
    table_writer.write_tex(table, tex)
    table_writer.write_html(table, html)


def by_block(
    title: str,
    columns: list[Column],
    lines: pd.DataFrame,
    row: Row,
    notes: list[str],
    bases: Mapping[str, str],
    ceilings: pd.DataFrame | None = None,
) -> Table:
    """Return a table with a group per test set and a row per method, in the order of `bases`; others follow by name.

    Args:
        ceilings: of `madad.reporting.tables.ceilings.ceiling_lines`; the last rows of every group.
    """
    order, groups = {method: place for place, method in enumerate(bases)}, []
    highest = {} if ceilings is None else frames.blocks(ceilings)
    for block, part in frames.blocks(lines).items():
        shown = []
        for own in (part, highest.get(block)):
            rows = {} if own is None else {name: one.set_index("measure") for name, one in frames.by_name(own, "method")}
            shown += [row(name, rows[name]) for name in sorted(rows, key=lambda name: (order.get(name, len(order)), name))]
        groups.append((head(block, part), shown))
    return Table(title, columns, groups, [CEILING_NOTE, *notes] if highest else notes, group_title="Test set")


def titled(measure: Measure) -> Column:
    """Return the column of a measure: its title with the unit, and an arrow where larger or smaller is better."""
    unit = f" ({measure.metric.unit})" if measure.metric.unit else ""
    arrow = {1: " ↑", -1: " ↓", 0: ""}[measure.better]
    return Column(measure.title + unit + arrow, measure.note)


def measured(own: pd.DataFrame, measure: Measure) -> Cell:
    """Return a measure of one method as a cell, with its interval where it has one.

    Args:
        own: lines of the summary of one method and block, by `measure`.
    """
    if measure.key not in own.index:
        return number(math.nan)
    line, metric = own.loc[measure.key], measure.metric
    if not metric.interval:
        return number(line["value"], metric.digits)
    return interval(
        line["value"], line["low"], line["high"], bold=bool(line["best"]), digits=metric.digits, subjects=int(line["subjects"])
    )


def _seeds(own: pd.DataFrame) -> tuple[Cell, Cell]:
    if MAIN.key not in own.index:
        return number(math.nan), number(math.nan)
    seeds = int(own.loc[MAIN.key, "seeds"])
    return Cell(str(seeds), seeds), number(own.loc[MAIN.key, "seed_sd"])


def named(method: str, bases: Mapping[str, str]) -> Cell:
    """Return a method by its name, with that of its card where they differ."""
    base = bases.get(method, method)
    return Cell(method if base == method else f"{method} ({base})")


def _chain(method: str, bases: Mapping[str, str]) -> str:
    return _on_card(method, bases, "published_scoring")


def _on_card(method: str, bases: Mapping[str, str], key: str) -> str:
    try:
        return str(cards.load(bases.get(method, method))[key] or table_writer.NOTHING)
    except UserError:  # maps made elsewhere have no card
        return table_writer.NOTHING
