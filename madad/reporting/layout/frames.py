"""Rows and groups of data frames with types: pandas itself promises no more than hashable keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from madad.evaluation.results.collected import BLOCK, Block

# Rows and keys hold what the columns hold: text, or numbers.
Row = Any


def rows(table: pd.DataFrame) -> Iterator[Row]:
    """Yield the rows of a table as named tuples, whose attributes are the columns."""
    yield from table.itertuples(index=False)


def blocks(table: pd.DataFrame) -> dict[Block, pd.DataFrame]:
    """Return the rows of every block, in the order of the table."""
    return {key: part for key, part in groups(table, BLOCK, sort=False)}


def groups(table: pd.DataFrame, columns: Sequence[str], sort: bool = True) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Yield the rows that agree in some columns, with their values there.

    Args:
        columns: a tuple of values is yielded, also for one column alone.
        sort: by value; else in the order of the table.
    """
    yield from table.groupby(list(columns), sort=sort)


def by_name(table: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of every name in a column of text, in the order of the alphabet."""
    for name, part in table.groupby(column):
        yield str(name), part
