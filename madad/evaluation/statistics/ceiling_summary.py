"""What the reference masks score, collected and summarised as the numbers of methods are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from madad.evaluation.results.collected import collect
from madad.evaluation.statistics.summary import summarise


def collect_ceilings(ceiling_tables: Iterable[Path], out: Path) -> None:
    """Write the tables of `madad.evaluation.protocol.ceilings` as one, see `madad.evaluation.results.collected.collect`."""
    collect(ceiling_tables, out)


def summarise_ceilings(ceiling_metrics: Path, out: Path) -> None:
    """Write their means and intervals, see `madad.evaluation.statistics.summary.summarise`."""
    summarise(ceiling_metrics, out)
