"""All long tables in one file, and selections from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from madad.configuration import initial_weights
from madad.core.errors import UserError
from madad.core.provenance import complete
from madad.evaluation.results.long_table import COLUMNS, IDENTITY
from madad.evaluation.results.metric import Metric
from madad.evaluation.results.protocol_table import Protocol

# What is compared side by side: the methods of one block share training cohort, sequence and test set.
BLOCK = ("cohort", "modality", "testset")
Block = tuple[str, str, str]


def collect(long_tables: Iterable[Path], out: Path) -> None:
    """Write all long tables one below the other as one csv file; every row names the run, the sample and the metric.

    Raises:
        UserError: a table lacks a column.
    """
    join(long_tables, COLUMNS, out)


def join(tables: Iterable[Path], columns: Sequence[str], out: Path) -> None:
    """Write these columns of tab-separated tables one below the other as one csv file; every value stays the text that it was.

    Raises:
        UserError: a table lacks a column.
    """
    with complete(out) as partial:
        partial.write_text(",".join(columns) + "\n")
        for path in tables:
            table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
            missing = [column for column in columns if column not in table]
            if missing:
                raise UserError(f"{path}: has no column {', '.join(missing)}; delete the file and run again")
            table.to_csv(partial, mode="a", header=False, index=False, columns=list(columns), lineterminator="\n")


def read_metrics(path: str | Path) -> pd.DataFrame:
    """Read the long table: identities as text, so that "012" stays "012", and `value` as a number."""
    table = pd.read_csv(
        path, dtype={**dict.fromkeys(COLUMNS, str), "value": float}, keep_default_na=False, na_values={"value": ["nan"]}
    )
    return table.astype({column: "category" for column in (*IDENTITY, "split", "group", "protocol", "metric")})


def select(table: pd.DataFrame, metric: Metric, protocol: Protocol | None = None) -> pd.DataFrame:
    """Return the rows of one metric, under one protocol or all; identities are plain text again."""
    wanted = table["metric"] == metric.name
    if protocol is not None:
        wanted &= table["protocol"] == protocol.name
    return table[wanted].astype({column: str for column in (*IDENTITY, "split", "group", "protocol", "metric")})


def by_block(table: pd.DataFrame) -> Iterator[tuple[Block, pd.DataFrame]]:
    """Yield every block of a table with its rows, in the order of the alphabet."""
    for key, part in table.groupby(list(BLOCK)):
        yield _block(key), part


def _block(key: Any) -> Block:
    cohort, modality, testset = key
    return str(cohort), str(modality), str(testset)


def read_trainings(paths: Iterable[Path]) -> pd.DataFrame:
    """Return what every training reports, one row per run; columns differ with the method and may be missing.

    `started_from` says in words which weights a training began with.
    """
    rows = [json.loads(Path(path).read_text()) for path in paths]
    flat = [{key: value for key, value in row.items() if not isinstance(value, dict | list)} for row in rows]
    for own, row in zip(flat, rows, strict=True):
        if row.get("steps") is not None and (row["steps"] or row.get("initial_weights")):
            own["started_from"] = initial_weights.in_words(row.get("initial_weights"))
    identities = [{key: str(row["identity"][key]) for key in ("cohort", "modality", "method", "seed")} for row in rows]
    merged = [{**own, **identity} for own, identity in zip(flat, identities, strict=True)]
    return pd.DataFrame(merged) if merged else pd.DataFrame(columns=pd.Index(["cohort", "modality", "method", "seed"]))


def block_title(cohort: str, modality: str, testset: str) -> str:
    """Return the heading of a block: `ixi → brats, FLAIR`, or `ixi-implanted, FLAIR` when trained and tested on one cohort."""
    own = testset.removesuffix("-corrupted").removesuffix("-implanted")
    return f"{testset}, {modality}" if cohort == own else f"{cohort} → {testset}, {modality}"
