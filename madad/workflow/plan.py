"""All that follows from a configuration before the first job: its runs, its evaluations, and what its methods are made of."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from madad.configuration import cards, experiments, sequences, settings
from madad.configuration.schema import Options
from madad.workflow import paths
from madad.workflow.paths import Run


@dataclass(frozen=True)
class Plan:
    """What a configuration asks for.

    With `partial: true` the runs and evaluations are those that are finished already.

    Attributes:
        config: complete, from `madad.configuration.settings.resolve`.
        cohorts: names of the cohorts that are trained on or tested on, sorted.
        entries: every method and part by name, as `madad.configuration.experiments` describes them.
        runs: trainings of the methods that are compared.
        part_runs: trainings of parts that only serve other methods.
        evaluations: every run on every test set that is not corrupted.
        corrupted: every run on every corrupted test set.
        cards: card of the published method or component behind every entry.
        bases: name of the published method behind every compared method.
        tracks: labels that every compared method sees.
        parts: names of everything that a compared method is built from, directly or not.
        noise_laws: noise parameters by method, where two methods differ in them.
        root: folder below which `results` lies, empty or with a slash at its end; a module may have a prefix.
        notes: sentences that a person should read before the run.
    """

    config: Options
    cohorts: tuple[str, ...]
    entries: Options
    runs: tuple[Run, ...]
    part_runs: tuple[Run, ...]
    evaluations: tuple[Run, ...]
    corrupted: tuple[Run, ...]
    cards: dict[str, Options]
    bases: dict[str, str]
    tracks: dict[str, str]
    parts: dict[str, list[str]]
    noise_laws: Options
    root: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Options, root: str = "", notes: tuple[str, ...] = ()) -> Plan:
        """Return the plan of a complete configuration.

        Args:
            config: from `madad.configuration.settings.resolve`.
            root: see the attribute.
            notes: see the attribute.
        """
        entries, methods = experiments.entries(config), config["methods"]
        whole = cls(
            config=config,
            cohorts=tuple(settings.used_cohorts(config)),
            entries=entries,
            runs=tuple(experiments.runs(config, "methods")),
            part_runs=tuple(experiments.runs(config, "parts")),
            evaluations=tuple(settings.evaluations(config)),
            corrupted=tuple(settings.robustness(config)),
            cards={name: cards.load(entry["base"]) for name, entry in entries.items()},
            bases={name: method["base"] for name, method in methods.items()},
            tracks={name: method["track"] for name, method in methods.items()},
            parts={name: experiments.beneath(config, name) for name in methods},
            noise_laws=experiments.noise_laws(config),
            root=root,
            notes=notes,
        )
        return whole._finished() if config["partial"] else whole

    @property
    def sequences(self) -> list[str]:
        """Sequences that something is trained on; others only help to align and to mark those of their session."""
        trained = {modality for cohort in self.config["train_on"] for modality in sequences.of(self.config, cohort)}
        return [modality for modality in self.config["modalities"] if modality in trained]

    @property
    def trainings(self) -> list[Run]:
        """Trainings of methods and of their parts."""
        return [*self.runs, *self.part_runs]

    @property
    def all_evaluations(self) -> list[Run]:
        """Evaluations on all test sets, corrupted ones last."""
        return [*self.evaluations, *self.corrupted]

    @property
    def uncorrupted(self) -> list[Run]:
        """For every evaluation of a corrupted test set the evaluation of the test set that it is made of."""
        return [{**run, "testset": settings.base_of(run["testset"])} for run in self.corrupted]

    @property
    def elsewhere(self) -> list[str]:
        """Names of the methods whose maps are made outside madad."""
        return [name for name, entry in self.entries.items() if entry["base"] in cards.elsewhere()]

    @property
    def pipelines(self) -> list[str]:
        """Names of the pipelines in use, sorted."""
        return sorted({self.pipeline_of(cohort) for cohort in self.cohorts})

    def pipeline_of(self, cohort: str) -> str:
        """Return the name of the pipeline that preprocesses a cohort."""
        return self.config["cohorts"][cohort]["pipeline"]

    def first_seeds(self, **fixed: str) -> list[Run]:
        """Return the evaluations to show as pictures: of each method those with the lowest seed, in the configured order.

        Args:
            fixed: values that cohort, modality, testset or method must have.
        """
        chosen: dict[tuple[str, ...], Run] = {}
        for run in self.evaluations:
            key = tuple(run[name] for name in ("cohort", "modality", "testset", "method"))
            if all(run[name] == value for name, value in fixed.items()):
                chosen[key] = min(run, chosen.get(key, run), key=lambda one: int(one["seed"]))
        return list(chosen.values())

    def available(self, files: Iterable[str]) -> list[str]:
        """Return the files that the report may ask for: with `partial` only those that exist already."""
        return [path for path in files if not self.config["partial"] or self.exists(path)]

    def exists(self, file: str) -> bool:
        """Return whether a file of the results exists, given by its path from `results` on."""
        return os.path.exists(self.root + file)

    def _finished(self) -> Plan:
        """Return the plan with the trainings and evaluations alone whose results exist."""

        def scored(run: Run) -> bool:
            return self._trained(run) and self.exists(paths.metrics([run])[0])

        return replace(
            self,
            runs=tuple(run for run in self.runs if self._trained(run)),
            part_runs=tuple(run for run in self.part_runs if self._trained(run)),
            evaluations=tuple(run for run in self.evaluations if scored(run)),
            corrupted=tuple(run for run in self.corrupted if scored(run)),
        )

    def _trained(self, run: Run) -> bool:
        """Whether a run has its model, and the run whose weights it reuses has one as well."""
        source = self.entries[run["method"]]["weights_from"] or run["method"]
        return all(self.exists(path) for path in paths.train_json([run, {**run, "method": source}]))
