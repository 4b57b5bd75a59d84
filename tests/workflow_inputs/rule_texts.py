"""What decides whether the jobs of the workflow run again, read from the rules themselves: their parameters and inputs."""

from __future__ import annotations

import inspect
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.io import strip_wildcard_constraints
from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

ROOT = Path(__file__).resolve().parents[2]


class Wildcards(dict[str, str]):
    """Values of wildcards, by key and by attribute as Snakemake gives them."""

    __getattr__ = dict.__getitem__


@dataclass(frozen=True)
class Jobs:
    """All jobs that a configuration could have.

    Attributes:
        texts: parameters and inputs of every job, by rule and wildcards.
        makers: job that makes a file.
        inputs: files that every job reads.
    """

    texts: dict[tuple[str, str], str]
    makers: dict[str, tuple[str, str]]
    inputs: dict[tuple[str, str], list[str]]

    def below(self, rules: set[str]) -> set[str]:
        """These rules and all rules that read what they make, directly or not."""
        found = set(rules)
        while True:
            more = {job[0] for job, files in self.inputs.items() if found & {job[0] for job in self._made(files)}} - found
            if not more:
                return found
            found |= more

    def after(self, jobs: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """These jobs and all that read what they make, directly or not."""
        found = set(jobs)
        while more := {job for job, files in self.inputs.items() if found & self._made(files)} - found:
            found |= more
        return found

    def _made(self, files: list[str]) -> set[tuple[str, str]]:
        return {self.makers[file] for file in files if file in self.makers}


def changed(before: Jobs, after: Jobs) -> set[str]:
    """Rules of which a job would run again, or for the first time."""
    return {rule for (rule, job), text in after.texts.items() if before.texts.get((rule, job)) != text}


def again(before: Jobs, after: Jobs) -> set[str]:
    """Jobs that would run again, each as its rule and, for what belongs to a split, the split: `pack train`."""
    new = {job for job, text in after.texts.items() if before.texts.get(job) != text}
    return {" ".join(filter(None, (rule, json.loads(job).get("split")))) for rule, job in after.after(new)}


def read(config: dict) -> Jobs:
    """Read the Snakefile with a configuration, as Snakemake does before it makes the graph of jobs."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        loaded = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(config=config),
            snakefile=ROOT / "Snakefile",
        )
        workflow = loaded._workflow
        plan = workflow.globals["PLAN"]
        return _jobs(list(workflow.rules), plan)


def _jobs(rules: list, plan: Any) -> Jobs:
    jobs = Jobs({}, {}, {})
    for rule in rules:
        for wildcards in _wildcards(rule, plan):
            key = (rule.name, json.dumps(dict(wildcards), sort_keys=True))
            try:
                files = sorted(itertools.chain(*(_files(item, wildcards) for item in rule.input)))
                params = {name: _value(value, wildcards) for name, value in rule.params.items() if not _derived(value)}
            except LookupError:  # the plan has no such combination, so there is no such job
                continue
            jobs.texts[key] = json.dumps([params, files], sort_keys=True, default=str)
            jobs.inputs[key] = files
            jobs.makers.update({str(file).format(**wildcards): key for file in map(_pattern, rule.output)})
    return jobs


def _wildcards(rule: Any, plan: Any) -> Iterator[dict[str, str]]:
    """Every combination of the values of a rule's wildcards that its constraints allow."""
    tested = plan.config["test_on"]
    values = {
        "cohort": plan.cohorts,
        "testset": tested,
        "modality": plan.sequences,
        "method": plan.entries,
        "pipeline": plan.pipelines,
        "split": ("train", "validation", "test"),
        "seed": sorted({run["seed"] for run in plan.trainings}),
        "shard": ("0",),
        "shards": ("2",),
        "protocol": ("validation",),
    }
    names = sorted(rule.wildcard_names)
    for combination in itertools.product(*(values[name] for name in names)):
        wildcards = Wildcards(zip(names, combination, strict=True))
        if _allowed(rule, wildcards, plan):
            yield wildcards


def _allowed(rule: Any, wildcards: Any, plan: Any) -> bool:
    """Whether there can be such a job: the patterns of wildcards alone allow more."""
    config, cohort, name = plan.config, wildcards.get("cohort"), rule.name
    for wildcard, pattern in rule.wildcard_constraints.items():
        if wildcard in wildcards and not re.fullmatch(pattern, wildcards[wildcard]):
            return False
    if name in ("evaluate", "infer", "export_nifti", "export_masks", "calibrate") and wildcards["method"] not in plan.bases:
        return False
    if "method" in wildcards and cohort not in config["train_on"]:
        return False
    made = {"implant": f"{cohort}-implanted", "corrupt": f"{wildcards.get('testset')}-corrupted"}
    if name == "download":
        return config["cohorts"][cohort]["download"]
    return made[name] in config["test_on"] if name in made else True


def _files(item: Any, wildcards: Any) -> list[str]:
    if callable(item) or getattr(item, "callable", None):
        item = (item if callable(item) else item.callable)(wildcards)
    files = [item] if isinstance(item, str) else list(item)
    return [_pattern(file).format(**wildcards) for file in files]


def _pattern(file: Any) -> str:
    return strip_wildcard_constraints(str(file))


def _value(value: Any, wildcards: Any) -> Any:
    return value(wildcards) if callable(value) else value


def _derived(value: Callable | Any) -> bool:
    return callable(value) and len(inspect.signature(value).parameters) > 1
