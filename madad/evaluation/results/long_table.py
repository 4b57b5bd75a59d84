"""The long table: one number per row, with the sample, the protocol and the metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from madad.core.io.manifest import read_table, write_table

# `sample` is one volume; `subject` is the person. They differ for sessions and for implanted lesions, and intervals are
# taken over subjects. Numbers of a whole test set have neither.
IDENTITY = ("cohort", "modality", "testset", "method", "seed")
COLUMNS = (*IDENTITY, "split", "sample", "subject", "group", "protocol", "metric", "value")


@dataclass(frozen=True)
class SampleIdentity:
    """The sample that a number belongs to; empty texts for a whole test set."""

    sample: str = ""
    subject: str = ""
    group: str = ""
    split: str = "test"


WHOLE_TEST_SET = SampleIdentity()


@dataclass
class LongTable:
    """Rows of one evaluation, collected and written at once."""

    identity: Mapping[str, str]
    rows: list[dict[str, str]] = field(default_factory=list)

    def add(self, sample: SampleIdentity, protocol: str, metric: str, value: float) -> None:
        """Add one number."""
        self.rows.append({**vars(sample), "protocol": protocol, "metric": metric, "value": f"{value:.9g}"})

    def add_all(self, sample: SampleIdentity, protocol: str, values: Mapping[str, float]) -> None:
        """Add several metrics under one protocol."""
        for metric, value in values.items():
            self.add(sample, protocol, metric, value)

    def add_rows(self, sample: SampleIdentity, rows: Iterable[tuple[str, str, float]]) -> None:
        """Add rows of (protocol, metric, value)."""
        for protocol, metric, value in rows:
            self.add(sample, protocol, metric, value)

    def write(self, path: str | Path) -> None:
        """Write the table as a tab-separated file."""
        shared = {key: str(self.identity[key]) for key in IDENTITY}
        write_table(path, ({**shared, **row} for row in self.rows), COLUMNS)


def read(path: str | Path) -> list[dict[str, str]]:
    """Read the rows of a long table, every value as text."""
    return read_table(path)
