"""The order of methods and blocks in tables and figures, and the numbers of samples and subjects behind them."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from madad.evaluation.results.collected import BLOCK, Block, block_title, by_block, select
from madad.evaluation.results.metric_table import AUPRC, SUBJECT_SCORE
from madad.evaluation.results.protocol_table import PER_SUBJECT


def methods_in(table: pd.DataFrame) -> list[str]:
    """Return the methods in the order of their rows, which in the long table is that of the configuration."""
    return [str(method) for method in table["method"].unique()]


def blocks_in(table: pd.DataFrame) -> list[Block]:
    """Return the blocks in the order of their rows, which in the long table is that of the configuration."""
    rows = table[list(BLOCK)].drop_duplicates().itertuples(index=False)
    return [(str(cohort), str(modality), str(testset)) for cohort, modality, testset in rows]


def inside(table: pd.DataFrame, block: tuple) -> pd.Series:
    """Return which rows belong to a block."""
    return (table[list(BLOCK)] == list(block)).all(axis=1)


def with_lesion(table: pd.DataFrame) -> dict[Block, tuple[int, int]]:
    """Return the samples with a lesion in the brain, and the subjects behind them, of every block."""
    scored = select(table, AUPRC, PER_SUBJECT).dropna(subset="value")
    return {block: (part["sample"].nunique(), part["subject"].nunique()) for block, part in by_block(scored)}


def healthy(table: pd.DataFrame) -> dict[Block, int]:
    """Return the healthy test subjects of every block."""
    scored = select(table, SUBJECT_SCORE)
    own = scored[scored["group"] == "healthy"]
    return {block: part["subject"].nunique() for block, part in by_block(own)}


def in_words(samples: int, subjects: int) -> str:
    """Return `n = 20 samples of 10 subjects`, or `n = 12 subjects` with one sample each."""
    people = f"{subjects} subject{'s' if subjects != 1 else ''}"
    return f"n = {people}" if samples == subjects else f"n = {samples} samples of {people}"


def titles(blocks: Iterable[tuple], table: pd.DataFrame) -> dict[Block, str]:
    """Return the heading of every block with the number of its samples with a lesion."""
    found = with_lesion(table)
    return {block: f"{block_title(*block)} ({in_words(*found.get(block, (0, 0)))})" for block in blocks}
