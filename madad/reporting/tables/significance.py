"""Tests between methods and their ranks: two csv files with every number, and tables for people of the main measures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from madad.core.provenance import complete
from madad.evaluation.results.collected import read_metrics
from madad.evaluation.results.measures import by_key
from madad.evaluation.results.metric_table import AUPRC, DICE
from madad.evaluation.results.protocol_table import PER_SUBJECT, VALIDATION
from madad.evaluation.statistics.per_subject import Field
from madad.evaluation.statistics.rankings import (
    ALL_BLOCKS,
    CHANCE,
    PAIR_COLUMNS,
    PANEL,
    RANK_COLUMNS,
    pair_rows,
    rank_rows,
    rankings,
    title,
)
from madad.reporting.layout import frames, table_writer
from madad.reporting.layout.table_writer import NOTHING, Cell, Column, Table, number

MAIN = tuple(measure.key for measure in (AUPRC @ PER_SUBJECT, DICE @ VALIDATION))
NOTHING_YET = "Nothing to compare: no evaluation, or one method only."
TEST_NOTE = (
    "Methods are compared within one track: those whose training saw the same labels. Subjects are the unit (mean over seeds, "
    "then over a subject's samples), the same for every method. p: two-sided Wilcoxon signed-rank test, zeros by Pratt, exact up "
    "to 50 subjects, after Holm over all pairs of one test set, track and measure: these trainings on other subjects. p (model): "
    "mixed model with seeds and subjects as random effects, after Holm: other trainings on other subjects; it needs two seeds."
)
EFFECT_NOTE = (
    "Each cell compares the row with the column: matched-pairs rank-biserial correlation, +1 where the row is better for every "
    "subject, −1 where the column is (p in brackets). Bold: the row is ahead outside the noise of subjects and of training, by "
    "p < 0.05 of both tests."
)
RANK_NOTE = (
    "Mean rank: of the ranks within each subject, 1 is best. Probability and 95 % range: of the rank of the mean over "
    "resamples of the subjects, and of the seeds where there are several. Behind the best: mean paired difference to the "
    "method with the best mean, with its 95 % interval (t, over subjects and, where there are several, seeds)."
)
POWER_NOTE = (
    "Detectable: the smallest mean difference to the best that both tests find with 80 % power at 5 % before Holm (by simulated "
    "studies up to 50 subjects); a smaller one that is not significant says nothing."
)
ALL_NOTE = (
    "All test sets: every subject counts once, with its mean over the test sets it is in; methods that lack a test set are "
    "left out."
)


def write_significance(
    metrics: Path,
    resamples: int,
    comparisons: Path,
    ranks: Path,
    tracks: Mapping[str, str] | None = None,
    trained: Mapping[str, bool] | None = None,
) -> None:
    """Write every pair of methods and every rank, for all measures that have a winner, on every block and over all.

    Args:
        metrics: the long table.
        resamples: of subjects and seeds, for the probabilities of ranks.
        comparisons: csv, columns `madad.evaluation.statistics.rankings.PAIR_COLUMNS`.
        ranks: csv, columns `RANK_COLUMNS` and the probability of every rank.
        tracks, trained: see `madad.evaluation.statistics.per_subject.Field`.
    """
    found = list(rankings(read_metrics(metrics), Field(tracks or {}, trained or {}), resamples))
    most = max((len(one.scores.methods) + len(one.scores.absent) for one in found), default=0)
    chances = [f"{CHANCE}{rank + 1}" for rank in range(most)]
    _write(comparisons, [row for one in found for row in pair_rows(one)], PAIR_COLUMNS)
    _write(ranks, [row for one in found for row in rank_rows(one)], (*RANK_COLUMNS, *chances))


def _write(path: Path, rows: list[dict], columns: Sequence[str]) -> None:
    with complete(path) as partial:
        pd.DataFrame(rows, columns=pd.Index(columns)).to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")


def read(path: str | Path) -> pd.DataFrame:
    """Read either csv file, names as text."""
    texts = (*PANEL, "measure", "method", "first", "second", "winner", "note")
    found = pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=_blank_numbers(path, texts))
    return found


def _blank_numbers(path: str | Path, texts: Sequence[str]) -> dict[str, list[str]]:
    """Return the texts of missing numbers by column: an empty field is a missing number, but an empty text."""
    return {column: ["", "nan"] for column in pd.read_csv(path, nrows=0).columns if column not in texts}


def write_tables(
    comparisons: Path, ranks: Path, comparisons_tex: Path, comparisons_html: Path, ranks_tex: Path, ranks_html: Path
) -> None:
    """Write the tables for people from the two csv files: a matrix of all pairs, and a line per method with its rank."""
    pairs, ranked = (found[found["measure"].isin(MAIN)] for found in (read(comparisons), read(ranks)))
    for table, tex, html in (
        (_matrix(pairs, ranked), comparisons_tex, comparisons_html),
        (_ranks(pairs, ranked), ranks_tex, ranks_html),
    ):
        table_writer.write_tex(table, tex)
        table_writer.write_html(table, html)


def panels(found: pd.DataFrame) -> list[tuple[tuple[str, ...], str, pd.DataFrame]]:
    """Return block with track, key of the measure and rows, in the order of a table: blocks in theirs, all together last."""
    parts = [(tuple(key[:4]), key[4], part) for key, part in frames.groups(found, [*PANEL, "measure"], sort=False)]
    places = list(dict.fromkeys(panel for panel, _, _ in parts))
    places.sort(key=lambda panel: panel[:3] == ALL_BLOCKS)
    return sorted(parts, key=lambda one: (places.index(one[0]), MAIN.index(one[1])))


def inside(found: pd.DataFrame, panel: tuple[str, ...], key: str) -> pd.Series:
    """Return which rows of either csv file belong to a panel and a measure."""
    return (found[list(PANEL)] == list(panel)).all(axis=1) & (found["measure"] == key)


def _heading(panel: tuple[str, ...], key: str, part: pd.DataFrame) -> str:
    subjects = int(part["subjects"].max())
    return f"{title(panel)}: {by_key()[key].title} ({subjects} subject{'' if subjects == 1 else 's'})"


def _matrix(pairs: pd.DataFrame, ranked: pd.DataFrame) -> Table:
    methods = in_order(ranked)
    columns = [Column("Method", number=False), *(Column(name, f"against {name}") for name in methods)]
    groups, notes = [], [TEST_NOTE, EFFECT_NOTE, *([ALL_NOTE] if (pairs["cohort"] == ALL_BLOCKS[0]).any() else [])]
    for block, key, part in panels(pairs):
        cells = {name: dict.fromkeys(methods, Cell(NOTHING, math.nan)) for name in methods}
        for pair in frames.rows(part):
            # an effect is the first method's; where smaller is better the better method has the smaller values
            effect = by_key()[key].better * pair.rank_biserial
            cells[pair.first][pair.second] = _effect(effect, pair.p_holm, pair.winner == pair.first)
            cells[pair.second][pair.first] = _effect(-effect, pair.p_holm, pair.winner == pair.second)
        shown = [name for name in methods if name in {*part["first"], *part["second"]}]
        groups.append((_heading(block, key, part), [[Cell(name), *cells[name].values()] for name in shown]))
        notes += reasons(_heading(block, key, part), part)
    return Table("Pairs of methods", columns, groups, notes if groups else [NOTHING_YET], "Test set")


def in_order(ranked: pd.DataFrame) -> list[str]:
    """Return all methods, the lowest mean of their mean ranks over blocks and measures first."""
    means = ranked.groupby("method")["mean_rank"].mean()
    return [str(name) for name in means.sort_index().sort_values(kind="stable", na_position="last").index]


def reasons(heading: str, part: pd.DataFrame) -> list[str]:
    """Return why tests of a block are missing or could not be significant, once each."""
    return [f"{heading}: {reason}." for reason in dict.fromkeys(part["note"]) if reason and reason != "equal for every subject"]


def _effect(effect: float, p_value: float, ahead: bool) -> Cell:
    if not math.isfinite(effect):
        return Cell(NOTHING, math.nan)
    return Cell(f"{_signed(effect)} ({p_text(p_value)})", effect, bold=ahead)


def _signed(value: float) -> str:
    text = f"{abs(value):.2f}"
    return text if float(text) == 0 else ("+" if value > 0 else "−") + text


def p_text(value: float) -> str:
    """Return a p-value with two significant digits, one of them below 0.001: 0.21, 0.034, 0.0021, 4e-05."""
    if not math.isfinite(value):
        return NOTHING
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}" if value >= 0.001 else f"{value:.0e}"


def _ranks(pairs: pd.DataFrame, ranked: pd.DataFrame) -> Table:
    columns = [
        Column("Method", number=False),
        Column("Mean", "over the subjects that have a value under every method"),
        Column("Mean rank ↓", "of the ranks within each subject"),
        Column("First", "probability that its mean is the best"),
        Column("Ranks", "95 % range of the rank of its mean"),
        Column("Behind the best", "mean paired difference with its 95 % interval"),
        Column("p", "Wilcoxon against the best, after Holm"),
        Column("p (model)", "mixed model over seeds and subjects against the best, after Holm"),
        Column("p (chance)", "probability that the best leads by chance (arXiv 2505.04720), these trainings, no correction"),
        Column("Detectable", "smallest difference to the best that both tests find with 80 % power"),
    ]
    groups, notes = [], [TEST_NOTE, RANK_NOTE, POWER_NOTE, *([ALL_NOTE] if (ranked["cohort"] == ALL_BLOCKS[0]).any() else [])]
    for block, key, part in panels(ranked):
        own = pairs[inside(pairs, block, key)]
        wins = own["winner"].value_counts()
        friedman_p = part["friedman_p"].max()
        heading = _heading(block, key, part) + (f"; Friedman p = {p_text(friedman_p)}" if math.isfinite(friedman_p) else "")
        present = int(part["value"].notna().sum())
        rows = [
            _rank_row(line, by_key()[key].metric.digits, wins.get(line.method, 0) == present - 1 > 0)
            for line in frames.rows(part)
        ]
        groups.append((heading, rows))
        notes += reasons(_heading(block, key, part), part)
    return Table("Ranks of methods", columns, groups, notes if groups else [NOTHING_YET], "Test set")


def _rank_row(line: frames.Row, digits: int, wins: bool) -> list[Cell]:
    known, chance = math.isfinite(line.rank_low), getattr(line, f"{CHANCE}1")
    spread = "–".join(f"{rank:.0f}" for rank in dict.fromkeys((line.rank_low, line.rank_high)))
    behind = table_writer.interval(line.difference_to_best, line.difference_low, line.difference_high, digits=digits)
    return [
        Cell(line.method),
        table_writer.interval(line.value, math.nan, math.nan, bold=wins, digits=digits),
        number(line.mean_rank, 3),
        Cell(f"{chance:.2f}", chance) if known else number(math.nan),
        Cell(spread, line.rank_low) if known else number(math.nan),
        Cell("best") if line.best == 1 else behind,
        Cell(p_text(line.p_holm_to_best), line.p_holm_to_best),
        Cell(p_text(line.p_model_to_best), line.p_model_to_best),
        Cell(p_text(line.p_chance_to_best), line.p_chance_to_best),
        number(line.detectable_difference, digits),
    ]
