"""The configuration: strict, complete before the first job, and cheap to read.

Values come from the schema's defaults, then the preset, then `config.yaml` and the command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from madad import cards, lineup, schema
from madad.errors import UserError
from madad.provenance import ROOT
from madad.schema import Options, check, coerce, fill, merge, unknown

IMPLANTED = "-implanted"
CORRUPTED = "-corrupted"
PRESETS = ROOT / "presets"


def resolve(raw: Options) -> Options:
    """Complete a configuration and check all of it.

    Args:
        raw: `config.yaml` with whatever the command line changed; text is accepted where a number is wanted,
            because `--config seeds=[7]` delivers text.

    Returns:
        The configuration with every option present; `methods` and `parts` map each name to an entry of `madad.lineup`.

    Raises:
        UserError: every problem in one list, each with its key, the value and what is allowed.
    """
    rules = schema.read("config")
    config = coerce(raw, rules)
    problems = list(check(config, rules))
    if problems:
        raise _refusal(problems)
    preset = _read_preset(fill(config, rules)["preset"])
    config = fill(_under_preset(config, preset), rules)
    problems = list(check(config, rules)) + list(_inconsistencies(config))
    entries = lineup.resolve(config, preset.get("methods", {}), problems)
    if problems:
        raise _refusal(problems)
    _choose_references(config)
    methods = {name: entries.pop(name) for name in config["methods"]}
    return {**config, "methods": methods, "parts": entries}


def used_cohorts(config: Options) -> list[str]:
    """Cohorts that are trained on or tested on, in the order of their names."""
    return sorted({cohort_of(testset) for testset in config["test_on"]} | set(config["train_on"]))


def base_of(testset: str) -> str:
    """Test set that a corrupted one is made of, and whose thresholds it is scored with; any other is its own."""
    return testset.removesuffix(CORRUPTED)


def cohort_of(testset: str) -> str:
    """Cohort behind a test set: `ixi-implanted`, `ixi-corrupted` and `ixi-implanted-corrupted` are made of `ixi`."""
    return base_of(testset).removesuffix(IMPLANTED)


def evaluations(config: Options) -> list[dict[str, str]]:
    """Every run of a compared method on every test set that is not corrupted."""
    return [run for run in _pairs(config) if run["testset"] == base_of(run["testset"])]


def robustness(config: Options) -> list[dict[str, str]]:
    """Every run of a compared method on every corrupted test set; their numbers stay apart from all others."""
    return [run for run in _pairs(config) if run["testset"] != base_of(run["testset"])]


def _pairs(config: Options) -> list[dict[str, str]]:
    return [{**run, "testset": testset} for run in lineup.runs(config, "methods") for testset in config["test_on"]]


def _read_preset(name: str) -> Options:
    path = PRESETS / f"{name}.yaml"
    if not path.exists():
        known = [file.stem for file in PRESETS.glob("*.yaml")]
        raise _refusal([unknown("preset", "preset", name, known)])
    preset = yaml.safe_load(path.read_text()) or {}
    problems = list(check(preset, schema.read("preset")))
    known = [*cards.names(), *cards.components()]
    problems += [unknown("methods", "method", name, known) for name in preset.get("methods", {}) if name not in known]
    if problems:
        raise UserError(f"{path}:\n" + "\n".join(problems))
    return preset


def _under_preset(config: Options, preset: Options) -> Options:
    """Lay the configuration over the preset; cohorts take the preset's options for their kind."""
    whole = {key: preset[key] for key in ("anomalies", "implanted", "corrupted", "evaluation", "seeds") if key in preset}
    merged = merge(whole, config)
    for name, cohort in config["cohorts"].items():
        merged["cohorts"] = {**merged["cohorts"], name: merge(preset.get("cohorts", {}).get(cohort["kind"], {}), cohort)}
    pipelines = config.get("pipelines") or {"standard": {}}
    merged["pipelines"] = {name: merge(preset.get("pipelines", {}), pipeline) for name, pipeline in pipelines.items()}
    return merged


def _inconsistencies(config: Options) -> Iterator[str]:
    """What a schema cannot say: names that must exist and options that must agree."""
    cohorts = config["cohorts"]
    named = [("train_on", name) for name in config["train_on"]] + [("test_on", cohort_of(name)) for name in config["test_on"]]
    for key, name in named:
        if name not in cohorts:
            yield unknown(key, "cohort", name, cohorts)
    for name in config["test_on"]:
        if base_of(name) not in config["test_on"]:
            yield f"test_on: {name} is scored with the thresholds of {base_of(name)}; add {base_of(name)} to test_on"
    used = sorted({name for _, name in named if name in cohorts})
    for name in used:
        yield from _cohort_problems(name, cohorts[name], config)
    yield from _same_roots({name: cohorts[name]["root"] for name in used if cohorts[name].get("root")})
    if (config["evaluation"]["median"] or 1) % 2 == 0:
        yield f"evaluation.median: {config['evaluation']['median']} is even; take an odd side, or 0 for no filter"
    pipelines = sorted({cohorts[name]["pipeline"] for name in used})
    if len(pipelines) > 1:
        yield f"cohorts: {', '.join(used)} use the pipelines {', '.join(pipelines)}; give them one, to be comparable"
    for name, pipeline in config["pipelines"].items():
        fitting = [cohort for cohort in used if cohorts[cohort]["pipeline"] == name]
        if pipeline["reference"] not in [None, *fitting]:
            yield unknown(f"pipelines.{name}.reference", "cohort in use with this pipeline", pipeline["reference"], fitting)
    yield from _anomaly_problems(config["anomalies"])


def _anomaly_problems(anomalies: Options) -> Iterator[str]:
    folder = anomalies["lesion_masks"]
    if folder and not Path(folder).is_dir():
        yield f"anomalies.lesion_masks: there is no folder '{folder}'; correct the path or mount the disk"
    for key in ("volume_ml", "time"):
        low, high = anomalies[key]
        if low > high:
            yield f"anomalies.{key}: the smallest comes first, not [{low:g}, {high:g}]"


def _same_roots(roots: dict[str, str]) -> Iterator[str]:
    """One data set under two names would be trained on under the one and tested on under the other."""
    seen: dict[Path, str] = {}
    for name, root in roots.items():
        first = seen.setdefault(Path(root).resolve(), name)
        if first != name:
            yield f"cohorts.{name}.root: the folder of cohorts.{first} again; subjects would be learnt from and tested on"


def _cohort_problems(name: str, cohort: Options, config: Options) -> Iterator[str]:
    where = f"cohorts.{name}"
    if cohort["pipeline"] not in config["pipelines"]:
        yield unknown(f"{where}.pipeline", "pipeline", cohort["pipeline"], config["pipelines"])
    for key in ("split", "patient_split"):
        total = sum(cohort[key].values())
        if abs(total - 1) > 1e-6:
            yield f"{where}.{key}: the fractions add up to {total:g} instead of 1"
    if cohort["kind"] == "phantom" and cohort["dataset"]:
        yield f"{where}.dataset: phantoms are not {cohort['dataset']}; leave it out"
    if cohort["kind"] == "bids":
        if not cohort.get("root"):
            yield f"{where}.root: missing; give the folder of the BIDS data set"
        elif not Path(cohort["root"]).is_dir():
            yield f"{where}.root: there is no folder '{cohort['root']}'; correct the path or mount the disk"
    elif missing := sorted(set(config["modalities"]) - set(cohort["modalities"])):
        yield f"modalities: {', '.join(missing)} is not among {where}.modalities ({', '.join(cohort['modalities'])})"


def _choose_references(config: Options) -> None:
    for name, pipeline in config["pipelines"].items():
        trained = [cohort for cohort in config["train_on"] if config["cohorts"][cohort]["pipeline"] == name]
        pipeline["reference"] = pipeline["reference"] or (trained[0] if trained else None)


def _refusal(problems: list[str]) -> UserError:
    lines = "\n".join(f"  - {problem}" for problem in dict.fromkeys(problems))
    return UserError(
        f"the configuration cannot be used:\n{lines}\nEvery key is explained in config.yaml and schemas/config.schema.json."
    )
