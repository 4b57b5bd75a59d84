"""A long table from given values, for what reads nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from madad.evaluation.results.long_table import COLUMNS

AUPRC = ("per_subject", "auprc")
DICE = ("validation", "dice")
OWN = ("own", "T1w", "own")


def of_samples(
    method: str, values: Iterable[float], what: tuple[str, str] = AUPRC, *, seed: str = "0", block=OWN, samples: int = 1
) -> list[tuple]:
    """One row a sample; `samples` of them belong to each subject."""
    return [
        (*block, method, seed, "test", f"v{index}", f"s{index // samples:02d}", "patient", *what, value)
        for index, value in enumerate(values)
    ]


def of_everybody(method: str, value: float, what: tuple[str, str], *, seed: str = "0", block=OWN) -> list[tuple]:
    """The row of a whole test set."""
    return [(*block, method, seed, "test", "", "", "", *what, value)]


def untrained(rows: Iterable[tuple]) -> dict[str, bool]:
    """The methods of the rows as such that no seed trains, whose only noise is that of subjects."""
    return {row[COLUMNS.index("method")]: False for row in rows}


def write(path: Path, rows: Iterable[tuple]) -> Path:
    """The rows as a csv file."""
    pd.DataFrame(list(rows), columns=list(COLUMNS)).to_csv(path, index=False, na_rep="nan")
    return path


def graded(methods: Iterable[str], subjects: int, step: float = 0.05, seed: int = 0) -> dict[str, np.ndarray]:
    """Values of methods, each better than the one before by `step` on subjects that differ."""
    generator = np.random.default_rng(seed)
    base = generator.uniform(0.1, 0.4, subjects)
    return {name: base + step * place + 0.01 * generator.standard_normal(subjects) for place, name in enumerate(methods)}
