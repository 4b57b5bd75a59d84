"""The long table: one number per row, with the sample, the protocol and the metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

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


class Number(NamedTuple):
    """One number with what it is of."""

    sample: SampleIdentity
    protocol: str
    metric: str
    value: float


@dataclass
class LongTable:
    """Numbers of one evaluation, collected and written at once; a study may have millions, so that none is kept as text."""

    identity: Mapping[str, str]
    numbers: list[Number] = field(default_factory=list)

    def add(self, sample: SampleIdentity, protocol: str, metric: str, value: float) -> None:
        """Add one number."""
        self.numbers.append(Number(sample, protocol, metric, float(value)))

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
        write_table(path, ({**shared, **_as_text(number)} for number in self.numbers), COLUMNS)


def _as_text(number: Number) -> dict[str, str]:
    return {
        **vars(number.sample),
        "protocol": number.protocol,
        "metric": number.metric,
        "value": f"{number.value:.9g}",
    }


def read(path: str | Path) -> list[dict[str, str]]:
    """Read the rows of a long table, every value as text."""
    return read_table(path)
