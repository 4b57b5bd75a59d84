"""The methods of a run as its trainings describe them, and which row of a published table each comes nearest to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from madad.configuration import cards
from madad.configuration.schema import Options

# Training options that decide how good a model gets; the others say how it is run.
TRAINING = ("steps", "batch_size", "learning_rate")
# A parameter that changes speed and memory alone.
OPERATION = "slices_per_pass"


@dataclass(frozen=True)
class Trained:
    """One method, or part of one, as trained on one cohort.

    Attributes:
        method: its name in this run.
        base: the card behind it.
        cohort: what it was trained on.
        settings: its parameters by sequence, those of inference too.
        runs: its `train.json`, one a sequence and seed.
    """

    method: str
    base: str
    cohort: str
    settings: Mapping[str, Options]
    runs: tuple[Options, ...]

    @property
    def name(self) -> str:
        """How tables call it."""
        return self.method if self.method == self.base else f"{self.method} ({self.base})"

    @property
    def first(self) -> Options:
        """The training that stands for all of them."""
        return self.runs[0]

    @property
    def parameters(self) -> Options:
        """What the training that stands for all says of its parameters, and those it does not depend on."""
        return {**self.settings.get(self.first["identity"]["modality"], {}), **self.first["parameters"]}

    def misses(self, row: Options) -> list[str]:
        """Return the settings and parts that distinguish a published row from its neighbours and differ here, in words."""
        pairs = [(key, self.parameters.get(key), value) for key, value in row["variant"].items()]
        if "parts" in row:
            pairs.append(("parts", sorted(self.first["parts"]), sorted(row["parts"])))
        return [f"{key} {words(here)} instead of {words(there)}" for key, here, there in pairs if here != there]

    def differences(self, variant: Options) -> list[str]:
        """Return the settings that differ from the published ones, which are the defaults of the card, in words.

        Args:
            variant: settings that the published row has of its own; `misses` tells of them.
        """
        published = cards.resolve(self.base, {}, {}, self.first["identity"]["modality"])
        own = {key: value for key, value in self.parameters.items() if key not in ("parts", OPERATION, *variant)}
        pairs = [(key, self.first["options"].get(key), published["training"].get(key)) for key in TRAINING]
        pairs += [(key, value, published["parameters"].get(key)) for key, value in own.items()]
        return [
            f"{key} {words(here)} instead of {words(there)}"
            for key, here, there in pairs
            if None not in (here, there) and here != there
        ]


def gather(trainings: Iterable[Path], bases: Mapping[str, str], settings: Mapping[str, Mapping[str, Options]]) -> list[Trained]:
    """Return every method and part that was trained, in the order of `bases`.

    Args:
        trainings: the `train.json` of every run.
        bases: card of each name; what is not there is left out.
        settings: parameters of each name by sequence.
    """
    found: dict[tuple[str, str], list[Options]] = {}
    for path in trainings:
        told = json.loads(Path(path).read_text())
        found.setdefault((told["identity"]["method"], told["identity"]["cohort"]), []).append(told)
    order = list(bases)
    named = sorted((key for key in found if key[0] in bases), key=lambda key: (order.index(key[0]), key[1]))
    return [
        Trained(method, bases[method], cohort, settings.get(method, {}), tuple(found[method, cohort])) for method, cohort in named
    ]


def place(rows: list[Options], trained: Iterable[Trained]) -> list[list[Trained]]:
    """Return the trained methods of every published row: each in the row of its card that it comes nearest to."""
    placed: list[list[Trained]] = [[] for _ in rows]
    for method in trained:
        own = [number for number, row in enumerate(rows) if row["card"] == method.base]
        if own:
            placed[min(own, key=lambda number: len(method.misses(rows[number])))].append(method)
    return placed


def words(value: object) -> str:
    """Return a setting for people: 19,000, 0.0001, [250, 500]; none for an empty list."""
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]" if value else "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
