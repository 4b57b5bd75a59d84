"""The configuration: strict, complete before the first job, and cheap to read.

Values come from the schema's defaults, then the preset, then `config.yaml` and the command line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from madad import cards
from madad.errors import UserError, did_you_mean
from madad.provenance import ROOT

IMPLANTED = "-implanted"
PRESETS = ROOT / "presets"
SCHEMAS = ROOT / "schemas"

Options = dict[str, Any]


def resolve(raw: Options) -> Options:
    """Complete a configuration and check all of it.

    Args:
        raw: `config.yaml` with whatever the command line changed; text is accepted where a number is wanted,
            because `--config seeds=[7]` delivers text.

    Returns:
        The configuration with every option present; `methods` maps each name to its `base` and to `options`, by modality.

    Raises:
        UserError: every problem in one list, each with its key, the value and what is allowed.
    """
    schema = _read_schema("config")
    config = coerce(raw, schema)
    problems = list(check(config, schema))
    if problems:
        raise _refusal(problems)
    preset = _read_preset(fill(config, schema)["preset"])
    config = fill(_under_preset(config, preset), schema)
    problems = list(check(config, schema)) + list(_inconsistencies(config))
    methods = {name: _method(name, config, preset, problems) for name in config["methods"]}
    if problems:
        raise _refusal(problems)
    _choose_references(config)
    return {**config, "methods": methods}


def used_cohorts(config: Options) -> list[str]:
    """Cohorts that are trained on or tested on, in the order of their names."""
    return sorted({cohort_of(testset) for testset in config["test_on"]} | set(config["train_on"]))


def cohort_of(testset: str) -> str:
    """Cohort behind a test set: `ixi-implanted` is made of `ixi`."""
    return testset.removesuffix(IMPLANTED)


def evaluations(config: Options) -> list[dict[str, str]]:
    """Every valid combination of training cohort, modality, method, seed and test set.

    A method that is not trained runs once, with the first seed; a method is left out for modalities its card excludes.
    """
    return [{**run, "testset": testset} for run in runs(config) for testset in config["test_on"]]


def runs(config: Options) -> list[dict[str, str]]:
    """Every valid combination of training cohort, modality, method and seed."""
    return [
        dict(cohort=cohort, modality=modality, method=name, seed=str(seed))
        for name, method in config["methods"].items()
        for cohort in config["train_on"]
        for modality in _modalities(method["base"], config)
        for seed in _seeds(method["base"], config)
    ]


def coerce(value: Any, schema: Options) -> Any:
    """Turn text into the number, truth value or null that the schema wants, wherever that is possible."""
    if isinstance(value, dict):
        return {key: coerce(entry, _schema_of(key, schema)) for key, entry in value.items()}
    if isinstance(value, list):
        return [coerce(entry, schema.get("items", {})) for entry in value]
    return _from_text(value, _as_list(schema.get("type", []))) if isinstance(value, str) else value


def fill(value: Any, schema: Options) -> Any:
    """Put in the schema's defaults, at every depth. Returns a new value."""
    if isinstance(value, dict):
        defaults = {key: part["default"] for key, part in schema.get("properties", {}).items() if "default" in part}
        return {key: fill(entry, _schema_of(key, schema)) for key, entry in {**defaults, **value}.items()}
    return value


def check(config: Options, schema: Options) -> Iterator[str]:
    """One line for every violation of the schema, naming key, value, what is allowed and the nearest known name."""
    for error in sorted(Draft202012Validator(schema).iter_errors(config), key=lambda e: [str(p) for p in e.path]):
        where = ".".join(str(part) for part in error.path) or "top level"
        if error.validator == "additionalProperties":
            known = list(error.schema.get("properties", {}))
            for key in sorted(set(error.instance) - set(known)):
                yield f"{where}: unknown key '{key}'{_nearest(key, known)}"
        else:
            yield f"{where}: {error.message}"


def merge(under: Options, over: Options) -> Options:
    """`over` laid over `under`, nested mappings key by key."""
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def _read_schema(name: str) -> Options:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def _read_preset(name: str) -> Options:
    path = PRESETS / f"{name}.yaml"
    if not path.exists():
        known = [file.stem for file in PRESETS.glob("*.yaml")]
        raise _refusal([_unknown("preset", "preset", name, known)])
    preset = yaml.safe_load(path.read_text()) or {}
    problems = list(check(preset, _read_schema("preset")))
    if problems:
        raise UserError(f"{path}:\n" + "\n".join(problems))
    return preset


def _under_preset(config: Options, preset: Options) -> Options:
    """Lay the configuration over the preset; cohorts take the preset's options for their kind."""
    whole = {key: preset[key] for key in ("anomalies", "implanted", "evaluation", "seeds") if key in preset}
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
            yield _unknown(key, "cohort", name, cohorts)
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
            yield _unknown(f"pipelines.{name}.reference", "cohort in use with this pipeline", pipeline["reference"], fitting)
    yield from _anomaly_problems(config["anomalies"])
    yield from _method_problems(config)


def _anomaly_problems(anomalies: Options) -> Iterator[str]:
    folder = anomalies["lesion_masks"]
    if folder and not Path(folder).is_dir():
        yield f"anomalies.lesion_masks: there is no folder '{folder}'; correct the path or mount the disk"
    for key in ("volume_ml", "time"):
        low, high = anomalies[key]
        if low > high:
            yield f"anomalies.{key}: the smallest comes first, not [{low:g}, {high:g}]"


def _method_problems(config: Options) -> Iterator[str]:
    known = [*config["methods"], *cards.names()]
    for name, given in config["method_options"].items():
        if name not in known and "base" not in given:
            yield _unknown("method_options", "method", name, known)
    bases = [config["method_options"].get(name, {}).get("base", name) for name in config["methods"]]
    idle = [modality for modality in config["modalities"] if not any(_accepts(base, modality) for base in bases)]
    for modality in idle:
        yield f"modalities: none of the methods ({', '.join(config['methods'])}) is made for {modality}; their cards say for what"


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
        yield _unknown(f"{where}.pipeline", "pipeline", cohort["pipeline"], config["pipelines"])
    for key in ("split", "patient_split"):
        total = sum(cohort[key].values())
        if abs(total - 1) > 1e-6:
            yield f"{where}.{key}: the fractions add up to {total:g} instead of 1"
    if cohort["kind"] == "bids":
        if not cohort.get("root"):
            yield f"{where}.root: missing; give the folder of the BIDS data set"
        elif not Path(cohort["root"]).is_dir():
            yield f"{where}.root: there is no folder '{cohort['root']}'; correct the path or mount the disk"
    elif missing := sorted(set(config["modalities"]) - set(cohort["modalities"])):
        yield f"modalities: {', '.join(missing)} is not among {where}.modalities ({', '.join(cohort['modalities'])})"


def _unknown(where: str, kind: str, name: str, known: Iterable[str]) -> str:
    return f"{where}: no {kind} is called '{name}'{_nearest(name, known)}"


def _nearest(name: str, known: Iterable[str]) -> str:
    return did_you_mean(name, known) or f"; known: {', '.join(sorted(known))}"


def _method(name: str, config: Options, preset: Options, problems: list[str]) -> Options:
    """Base of one entry of `methods` and its complete options for every modality; problems are added to the list."""
    given = config["method_options"].get(name, {})
    base = given.get("base", name)
    if base not in cards.names():
        problems.append(_unknown("methods", "method", base, [*cards.names(), *config["method_options"]]))
        return {}
    card, sizes = cards.load(base), preset.get("methods", {}).get(base, {})
    parts = {
        part: coerce({**sizes.get(part, {}), **given.get(part, {})}, {"properties": card[part]})
        for part in ("parameters", "training")
    }
    try:
        options = {modality: cards.resolve(base, **parts, modality=modality) for modality in config["modalities"]}
    except UserError as error:
        problems += [f"method_options.{name}{line.removeprefix(base)}" for line in str(error).splitlines()]
        return {}
    return {"base": base, "options": options}


def _choose_references(config: Options) -> None:
    for name, pipeline in config["pipelines"].items():
        trained = [cohort for cohort in config["train_on"] if config["cohorts"][cohort]["pipeline"] == name]
        pipeline["reference"] = pipeline["reference"] or (trained[0] if trained else None)


def _refusal(problems: list[str]) -> UserError:
    lines = "\n".join(f"  - {problem}" for problem in dict.fromkeys(problems))
    return UserError(
        f"the configuration cannot be used:\n{lines}\nEvery key is explained in config.yaml and schemas/config.schema.json."
    )


def _schema_of(key: str, schema: Options) -> Options:
    extra = schema.get("additionalProperties")
    return schema.get("properties", {}).get(key) or (extra if isinstance(extra, dict) else {})


def _as_list(kinds: str | list[str]) -> list[str]:
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _from_text(text: str, kinds: list[str]) -> Any:
    """Read a text as the first kind it fits; a text that fits none stays, for the schema to refuse."""
    if "string" in kinds:
        return text
    constants = {"true": True, "false": False} if "boolean" in kinds else {}
    constants |= {"null": None, "none": None, "": None} if "null" in kinds else {}
    if text.lower() in constants:
        return constants[text.lower()]
    for kind, convert in (("integer", int), ("number", float)):
        with suppress(ValueError):
            if kind in kinds:
                return convert(text)
    return text


def _modalities(base: str, config: Options) -> list[str]:
    return [modality for modality in config["modalities"] if _accepts(base, modality)]


def _accepts(base: str, modality: str) -> bool:
    # an unknown method is reported as such, not as one that accepts nothing
    return base not in cards.names() or modality in cards.load(base)["modalities"]


def _seeds(base: str, config: Options) -> list[int]:
    return config["seeds"] if cards.load(base)["capabilities"]["trains"] else config["seeds"][:1]
