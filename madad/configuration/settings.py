"""Resolve the configuration: strict, complete before the first job, and fast to read.

Values come from the model's defaults, then the preset, then a pipeline's published chain, then `config.yaml` and the command
line.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from madad.configuration import (
    cards,
    cohort_cards,
    cohort_names,
    exchange_checks,
    experiments,
    initial_weights,
    pipelines,
    sequences,
    subject_counts,
)
from madad.configuration.model import Config, Preset
from madad.configuration.schema import Options, merge, unknown
from madad.configuration.validation import OptionsError, validated
from madad.core import plugins, yaml_text
from madad.core.errors import UserError
from madad.core.workflow_files import FOLDER

IMPLANTED = "-implanted"
CORRUPTED = "-corrupted"
PRESETS = FOLDER / "presets"
# Skull-stripping methods that call a program of another project.
PROGRAMS = ("hd-bet", "synthstrip")
DOWNLOADS = "results/downloads"


def resolve(raw: Options) -> Options:
    """Complete and check a configuration. Its `method_folders` are then used by this process (`madad.core.plugins`).

    Args:
        raw: `config.yaml` with the changes of the command line; numbers may be given as text, because `--config seeds=[7]`
            passes text.

    Returns:
        The configuration with every option present; `methods` and `parts` map each name to an entry of
        `madad.configuration.experiments`.

    Raises:
        UserError: all problems in one list, each with its key, its value and what is allowed.
    """
    given = _checked(raw)
    own = given.model_dump(exclude_unset=True)
    if problems := list(cohort_cards.unknown_kinds(own["cohorts"])):
        raise _refusal(problems)
    plugins.use(given.method_folders, taken=[*cards.own_names(), *cards.elsewhere()])
    preset = _read_preset(given.preset)
    config = _checked(_under_preset(own, preset)).model_dump()
    sequences.complete(config, [name for name in used_cohorts(config) if name in config["cohorts"]])
    problems = list(_inconsistencies(config))
    entries = experiments.resolve(config, preset.get("sizes", {}), problems)
    problems += exchange_checks.problems(entries, config["test_on"], config["cohorts"])
    problems += _unregistered_problems(config)
    if problems:
        raise _refusal(problems)
    for name in used_cohorts(config):
        if config["cohorts"][name]["download"]:
            config["cohorts"][name]["root"] = f"{DOWNLOADS}/{name}"
        config["cohorts"][name]["shards"] = config["cohorts"][name]["shards"] or subject_counts.shards(config["cohorts"][name])
    methods = {name: entries.pop(name) for name in config["methods"]}
    return {**config, "methods": methods, "parts": entries}


def _checked(options: object) -> Config:
    try:
        return validated(Config, options)
    except OptionsError as error:
        raise _refusal(error.problems) from None


def used_cohorts(config: Options) -> list[str]:
    """Return the cohorts that are trained on or tested on, in alphabetical order."""
    return sorted({cohort_of(testset) for testset in config["test_on"]} | set(config["train_on"]))


def base_of(testset: str) -> str:
    """Return the test set that a corrupted one is made of and whose thresholds apply to it; for any other, itself."""
    return testset.removesuffix(CORRUPTED)


def cohort_of(testset: str) -> str:
    """Return the cohort of a test set: `ixi-implanted`, `ixi-corrupted` and `ixi-implanted-corrupted` are made of `ixi`."""
    return base_of(testset).removesuffix(IMPLANTED)


def evaluations(config: Options) -> list[dict[str, str]]:
    """Return every run of a compared method on every test set that is not corrupted."""
    return [run for run in _pairs(config) if run["testset"] == base_of(run["testset"])]


def robustness(config: Options) -> list[dict[str, str]]:
    """Return every run of a compared method on every corrupted test set; their numbers are reported separately."""
    return [run for run in _pairs(config) if run["testset"] != base_of(run["testset"])]


def _pairs(config: Options) -> list[dict[str, str]]:
    pipeline = {name: cohort["pipeline"] for name, cohort in config["cohorts"].items()}
    return [
        {**run, "testset": testset}
        for run in experiments.runs(config, "methods")
        for testset in testsets(config, run["modality"])
        if pipeline[cohort_of(testset)] == pipeline[run["cohort"]]
    ]


def testsets(config: Options, modality: str) -> list[str]:
    """Return the test sets that have a sequence."""
    return [name for name in config["test_on"] if modality in sequences.of(config, cohort_of(name))]


def _read_preset(name: str, above: tuple[str, ...] = ()) -> Options:
    """Return a preset merged into the one it is based on; `above` are the presets based on it."""
    path = PRESETS / f"{name}.yaml"
    if not path.exists():
        known = [file.stem for file in PRESETS.glob("*.yaml")]
        raise _refusal([unknown("preset", "preset", name, known)])
    given = yaml_text.load(path.read_text()) or {}
    preset: Options = {}
    problems = _unknown_sizes(given)
    try:
        preset = validated(Preset, given).model_dump(exclude_unset=True)
    except OptionsError as error:
        problems = error.problems + problems
    if problems:
        raise UserError(f"{path}:\n" + "\n".join(problems))
    above = (*above, name)
    if "base" not in preset:
        return preset
    if preset["base"] in above:
        raise UserError(f"{path}: base: {' is based on '.join([*above, preset['base']])}; a preset cannot be based on itself")
    return merge(_read_preset(preset["base"], above), preset)


def _unknown_sizes(preset: Any) -> list[str]:
    """Return a sentence for every method that a preset has sizes for and that does not exist."""
    sizes = preset.get("sizes") if isinstance(preset, dict) else None
    known = [*cards.names(), *cards.components()]
    return [unknown("sizes", "method", name, known) for name in (sizes if isinstance(sizes, dict) else ()) if name not in known]


def _under_preset(config: Options, preset: Options) -> Options:
    """Merge the configuration into the preset; cohorts take the preset's options for their kind."""
    whole = ("train_on", "test_on", "methods", "anomalies", "implanted", "corrupted", "evaluation", "seeds")
    merged = merge({key: preset[key] for key in whole if key in preset}, config)
    merged["initial_weights"] = initial_weights.over(preset.get("initial_weights"), config.get("initial_weights"))
    for name, cohort in config["cohorts"].items():
        under = merge(cohort_names.defaults(cohort["kind"], cohort), preset.get("cohorts", {}).get(cohort["kind"], {}))
        merged["cohorts"] = {**merged["cohorts"], name: merge(under, cohort)}
    wanted = [cohort.get("pipeline") for cohort in merged["cohorts"].values()]
    own = pipelines.with_chains(config.get("pipelines") or {"standard": {}}, wanted)
    merged["pipelines"] = pipelines.lay(own, preset.get("pipelines", {}))
    merged["cohorts"] = pipelines.suggest_skull_strip(merged["cohorts"], config["cohorts"], merged["pipelines"])
    return merged


def _inconsistencies(config: Options) -> Iterator[str]:
    """Yield the problems between keys: names that do not exist and options that disagree."""
    cohorts = config["cohorts"]
    named = [("train_on", name) for name in config["train_on"]] + [("test_on", cohort_of(name)) for name in config["test_on"]]
    for key, name in named:
        if name not in cohorts:
            yield unknown(key, "cohort", name, cohorts)
    yield from _testset_problems(config["test_on"], cohorts)
    yield from sequences.problems(config, {name: cohort_of(name) for name in config["test_on"]})
    used = sorted({name for _, name in named if name in cohorts})
    for name in used:
        yield from _cohort_problems(name, cohorts[name], config)
    yield from _same_roots({name: cohorts[name]["root"] for name in used if cohorts[name].get("root")})
    if (config["evaluation"]["median"] or 1) % 2 == 0:
        yield f"evaluation.median: {config['evaluation']['median']} is even; take an odd side, or 0 for no filter"
    trained = {cohorts[name]["pipeline"] for name in config["train_on"] if name in cohorts}
    for name in used:
        if cohorts[name]["pipeline"] not in trained:
            yield (
                f"cohorts.{name}.pipeline: no cohort of train_on uses {cohorts[name]['pipeline']}, so nothing would be tested on "
                f"{name}; the images of training and test need one pipeline ({', '.join(sorted(trained))})"
            )
    for name, pipeline in config["pipelines"].items():
        fitting = [cohort for cohort in used if cohorts[cohort]["pipeline"] == name]
        if pipeline["reference"] not in [None, *fitting]:
            yield unknown(f"pipelines.{name}.reference", "cohort in use with this pipeline", pipeline["reference"], fitting)
        yield from pipelines.problems(name, pipeline)
    yield from _anomaly_problems(config["anomalies"])
    yield from _quality_problems(config["quality"], cohorts)


def _testset_problems(testsets: list[str], cohorts: Options) -> Iterator[str]:
    for name in testsets:
        if base_of(name) not in testsets:
            yield f"test_on: {name} is scored with the thresholds of {base_of(name)}; add {base_of(name)} to test_on"
        if IMPLANTED in name and cohorts.get(cohort_of(name), {}).get("group") == "patient":
            yield f"test_on: {name} needs healthy subjects, and {cohort_of(name)} has none (group: patient); leave it out"


def _unregistered_problems(config: Options) -> Iterator[str]:
    """Yield what needs the anatomy of a template, although the images of a pipeline are not registered to one."""

    def unregistered(cohort: str) -> bool:
        pipeline = config["pipelines"].get(config["cohorts"].get(cohort, {}).get("pipeline"), {})
        return pipeline.get("registration") == pipelines.UNREGISTERED

    why = "are placed by the template's tissue, and with registration none there is none; leave it out, or register"
    for name in config["test_on"]:
        if IMPLANTED in name and unregistered(cohort_of(name)):
            yield f"test_on: the lesions of {name} {why}"


def _anomaly_problems(anomalies: Options) -> Iterator[str]:
    folder = anomalies["lesion_masks"]
    if folder and not Path(folder).is_dir():
        yield f"anomalies.lesion_masks: there is no folder '{folder}'; correct the path or mount the disk"
    for key in ("volume_ml", "time"):
        low, high = anomalies[key]
        if low > high:
            yield f"anomalies.{key}: the smallest comes first, not [{low:g}, {high:g}]"


def _quality_problems(options: Options, cohorts: Options) -> Iterator[str]:
    for measure, limits in options["limits"].items():
        for kind, pair in limits.items():
            low, high = pair or (None, None)
            if low is not None and high is not None and low > high:
                yield f"quality.limits.{measure}.{kind}: the lowest comes first, not [{low:g}, {high:g}]"
    for key in ("exclude", "keep"):
        for name in sorted(set(options[key]) - set(cohorts)):
            yield unknown(f"quality.{key}", "cohort", name, cohorts)
    for name, listed in options["exclude"].items():
        for subject in sorted(set(listed) & set(options["keep"].get(name, []))):
            yield f"quality.keep.{name}: {subject} is also in quality.exclude.{name}; remove it from one of them"


def _same_roots(roots: dict[str, str]) -> Iterator[str]:
    """Yield cohorts with the same folder: one could be trained on while the other is tested on."""
    seen: dict[Path, str] = {}
    for name, root in roots.items():
        first = seen.setdefault(Path(root).resolve(), name)
        if first != name:
            yield f"cohorts.{name}.root: the same folder as cohorts.{first}; a subject could be trained on and tested on"


def _cohort_problems(name: str, cohort: Options, config: Options) -> Iterator[str]:
    where = f"cohorts.{name}"
    if cohort["pipeline"] not in config["pipelines"]:
        yield unknown(f"{where}.pipeline", "pipeline", cohort["pipeline"], config["pipelines"])
    for key in ("split", "patient_split"):
        total = sum(cohort[key].values())
        if abs(total - 1) > 1e-6:
            yield f"{where}.{key}: the fractions add up to {total:g} instead of 1"
    if cohort["skull_strip_command"] and cohort["skull_strip"] not in PROGRAMS:
        yield (
            f"{where}.skull_strip_command: skull_strip is {cohort['skull_strip']}, which calls no program; "
            f"leave the command out, or set skull_strip to {' or '.join(PROGRAMS)}"
        )
    if not _is_command(cohort["skull_strip_command"]):
        yield f"{where}.skull_strip_command: '{cohort['skull_strip_command']}' is not a command; close its quotes or leave it out"
    yield from cohort_cards.problems(where, cohort)
    yield from cohort_names.problems(where, cohort)
    if name in config["train_on"] and cohort["group"] == "patient":
        yield f"train_on: {name} has patients only (group: patient), and methods need healthy subjects; choose another cohort"


def _is_command(text: str | None) -> bool:
    try:
        return text is None or bool(shlex.split(text))
    except ValueError:  # a quote that is not closed
        return False


def _refusal(problems: list[str]) -> UserError:
    lines = "\n".join(f"  - {problem}" for problem in dict.fromkeys(problems))
    return UserError(
        f"the configuration cannot be used:\n{lines}\nEvery key is explained in config.yaml and schemas/config.schema.json."
    )
