"""Method cards: what a method is, what it needs and every hyper-parameter it takes. Read without torch.

A card is the file `madad/methods/<name>.yaml` beside the method's code. The parts that methods use, such as an autoencoder,
have cards of the same kind in `madad/models/components`, and so have the ways to compare maps that are made outside madad, in
`madad/data/exchange`. A parameter is a JSON-schema property with
`type`, `default`, `description` and `source` (and, where they apply, `unit`, `minimum`, `maximum`, `enum`,
`items`). `modality_defaults` gives a default that depends on the modality. `stage: inference` marks a parameter that the training
neither reads nor depends on: with another value the same weights are used again; `stage: training` one that decides how weights
are learned and not what they mean: a training can start from weights that were learned with another value. `format: path` marks
a file of the user, whose content decides as the parameters do. The training options
are the same for every method that trains (`madad/engine/options.yaml`); a card states what differs, such as defaults.
`training_data`, slices of healthy images by default, states what a method is trained on: `kind` slices or volumes (a parameter
`spatial_dims` of 3 means volumes too), `pairs` true for those that learn from synthetic lesions
(`madad/engine/pair_options.yaml`).
`capabilities` states what a method can do (`CAPABILITIES`); those left out are false.
`modalities` lists the sequences of a method that is made for some; without it a method runs with every sequence.
`network_range` states what a method's networks are shown for intensities of 0 and 1, [0, 1] by default; the conformance suite
checks it.
`model_mb`, for the forecast of disk space, is the size of a model file at the defaults.
`constraints` states which parameters must agree (`madad.configuration.card_constraints`).
"""

from __future__ import annotations

import copy
import math
from functools import cache
from pathlib import Path

import yaml

from madad.configuration.card_constraints import disagreements, fitting
from madad.configuration.value_messages import explain
from madad.core import plugins, yaml_text
from madad.core.errors import UserError, did_you_mean

_PACKAGE = Path(__file__).parents[1]
METHODS = _PACKAGE / "methods"
COMPONENTS = _PACKAGE / "models" / "components"
OPTIONS = _PACKAGE / "engine" / "options.yaml"
PAIR_OPTIONS = _PACKAGE / "engine" / "pair_options.yaml"
ELSEWHERE = _PACKAGE / "data" / "exchange"
SLICES = {"kind": "slices", "pairs": False}
# is trained by an optimiser; is fitted in one pass, by a method `fit`; makes pseudo-healthy volumes; draws random numbers when
# it is applied; encodes images, by a method `encode`
CAPABILITIES = ("trains", "fits", "reconstructs", "stochastic", "encodes")
# The stages of parameters that no training depends on, and of those that only decide how weights are learned.
INFERENCE, TRAINING = "inference", "training"
PATH = "path"
KEYS = [
    "name",
    "title",
    "summary",
    "authors",
    "year",
    "venue",
    "doi",
    "code",
    "code_licence",
    "track",
    "published_scoring",
    "spatial_dims",
    "capabilities",
    "resources",
    "requires",
    "parameters",
    "training",
    "tiny",
    "deviations",
]


def names() -> tuple[str, ...]:
    """Return every method that has a card, here or in a folder of `madad.core.plugins`, in alphabetical order."""
    return tuple(sorted({*_stems(METHODS), *plugins.cards()}))


def own_names() -> tuple[str, ...]:
    """Return every method and component of the repository itself."""
    return (*_stems(METHODS), *components())


def components() -> tuple[str, ...]:
    """Return every trained part that methods may require, in alphabetical order."""
    return _stems(COMPONENTS)


def elsewhere() -> tuple[str, ...]:
    """Return every way to compare maps that are made outside madad, in alphabetical order."""
    return _stems(ELSEWHERE)


def path(name: str) -> Path:
    """Return the file of a card; the code is beside it.

    Raises:
        UserError: no such method or component; the message names the nearest.
    """
    if name in components():
        return COMPONENTS / f"{name}.yaml"
    if name in elsewhere():
        return ELSEWHERE / f"{name}.yaml"
    if name not in names():
        raise UserError(
            f"methods: there is no method {name!r}{did_you_mean(name, names())}; the methods are {', '.join(names())}"
        )
    return METHODS / f"{name}.yaml" if name in _stems(METHODS) else plugins.cards()[name]


def module(name: str) -> str:
    """Return the dotted name of the code of a method or component."""
    package = {COMPONENTS: "models.components", ELSEWHERE: "data.exchange"}.get(path(name).parent, "methods")
    return f"madad.{package}.{name}"


def load(name: str) -> dict:
    """Return the card of a method or component, as a new dict.

    Raises:
        UserError: no such method; the message names the nearest.
    """
    return copy.deepcopy(_load(name))


def resolve(name: str, parameters: dict, training: dict, modality: str | None) -> dict[str, dict]:
    """Complete hyper-parameters and training options: check what is given and add the defaults of the card.

    Args:
        name: the method.
        parameters: hyper-parameters that differ from the card's defaults.
        training: training options that differ from the card's defaults.
        modality: what it will run on, for defaults that depend on it; None if any will do.

    Returns:
        {"parameters": {...}, "training": {...}}, each with every key of the card.

    Raises:
        UserError: unknown method or key, wrong type, or a value out of range; all problems in one message.
    """
    card = _load(name)
    given = {"parameters": parameters, "training": training}
    problems = [p for section, values in given.items() for p in _problems(name, section, card[section], values)]
    if problems:
        raise UserError("\n".join(problems))
    complete = {section: _complete(card[section], values, modality) for section, values in given.items()}
    settings = _settings(complete["parameters"], complete["training"])
    if problems := list(disagreements(name, card.get("constraints", []), settings)):
        raise UserError("\n".join(problems))
    return complete


def of_training(name: str, parameters: dict) -> dict:
    """Return the parameters that the training depends on: all but those of `stage: inference`."""
    schemas = _load(name)["parameters"]
    return {key: value for key, value in parameters.items() if schemas[key].get("stage") != INFERENCE}


def files(name: str, parameters: dict) -> list[str]:
    """Return the files that parameters name, those of `format: path`; what is in them decides as the parameters do."""
    schemas = _load(name)["parameters"]
    return [value for key, value in parameters.items() if schemas[key].get("format") == PATH and value]


def of_weights(name: str, parameters: dict) -> dict:
    """Return the parameters that decide what weights mean: those without a `stage`, and those that the method no longer has."""
    schemas = _load(name)["parameters"]
    return {key: value for key, value in parameters.items() if "stage" not in schemas.get(key, {})}


def as_trained(name: str, parameters: dict, training: dict, modality: str | None) -> dict:
    """Return the parameters a model is trained with: those of inference at the card's defaults, or as the others allow.

    Args:
        name: the method.
        parameters: those that the training depends on, complete; others are ignored.
        training: complete training options.
        modality: what it is trained on.
    """
    card = _load(name)
    given = of_training(name, parameters)
    complete = _complete(card["parameters"], given, modality)
    fitted = fitting(card.get("constraints", []), _settings(complete, training), free=complete.keys() - given.keys())
    return {key: fitted[key] for key in complete}


def overrides(need: dict, parameters: dict) -> dict:
    """Return what one entry of a card's `requires` sets differently in a part with these parameters."""
    return {key: value for key, value in need["overrides"].items() if key in parameters}


def shown(name: str, parameters: dict) -> dict:
    """Return what a method is trained on: `kind` slices or volumes, and whether in `pairs` with synthetic lesions."""
    card = _load(name)
    volumes = parameters.get("spatial_dims", card["spatial_dims"]) == 3
    return {**card["training_data"], **({"kind": "volumes"} if volumes else {})}


def tiny(name: str, modality: str | None = None) -> dict[str, dict]:
    """Resolve the card's smallest sizes: they show that a method works, not how well."""
    sizes = _load(name)["tiny"]
    return resolve(name, sizes["parameters"], sizes["training"], modality)


def tiny_whole(name: str, modality: str | None = None) -> dict:
    """Return what `madad.methods.registry.assemble` needs for the smallest sizes, with the required parts."""
    parts = {}
    for role, need in _load(name)["requires"].items():
        if not need["optional"]:
            part = tiny_whole(need["default"], modality)
            parts[role] = {**part, "method": need["default"], "overrides": overrides(need, part["parameters"])}
    return {"base": name, "parts": parts, **tiny(name, modality)}


def _load(name: str) -> dict:
    return _read(path(name))


@cache
def _read(path: Path) -> dict:
    try:
        card = yaml_text.load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as YAML; {error}") from None
    if not isinstance(card, dict):
        raise UserError(f"{path}: the card is not a mapping of keys to values; copy one of {METHODS} and change it")
    missing = [key for key in KEYS if key not in card]
    if missing:
        raise UserError(f"{path}: the card lacks {', '.join(missing)}")
    for key, schema in card["parameters"].items():
        if schema.get("stage", INFERENCE) not in (INFERENCE, TRAINING):
            raise UserError(
                f"{path}: parameters.{key}.stage: {schema['stage']!r} is not a stage; write {INFERENCE}, {TRAINING} or nothing"
            )
    card["modalities"] = card.get("modalities") or []
    card["network_range"] = card.get("network_range", [0, 1])
    card["paper"] = card.get("paper", "")
    card["capabilities"] = {**dict.fromkeys(CAPABILITIES, False), **card["capabilities"]}
    card["training_data"] = {**SLICES, **card.get("training_data", {})}
    if card["capabilities"]["trains"]:
        options = yaml_text.load(OPTIONS.read_text())
        if card["training_data"]["pairs"]:
            options |= yaml_text.load(PAIR_OPTIONS.read_text())
        card["training"] = {key: schema | card["training"].get(key, {}) for key, schema in options.items()}
    return card


@cache
def _stems(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in folder.glob("*.yaml")))


def _problems(name: str, section: str, properties: dict, values: object) -> list[str]:
    """Return the problems of one section, one line each."""
    if not isinstance(values, dict):
        return [f"{name}.{section}: {values!r} is not a mapping of keys to values"]
    from jsonschema import Draft202012Validator  # most stages only read cards

    lines = [_unknown(name, section, key, properties) for key in values if key not in properties]
    schema = {"type": "object", "properties": properties}
    known = {key: value for key, value in values.items() if key in properties}
    for error in Draft202012Validator(schema).iter_errors(known):
        where = ".".join(str(part) for part in (name, section, *error.absolute_path))
        lines.append(f"{where}: {explain(error)}")
    lines += [f"{name}.{section}.{key}: {value} is not a finite number" for key, value in known.items() if _not_finite(value)]
    return lines


def _settings(parameters: dict, training: dict) -> dict:
    """Return what constraints refer to: parameters by their names, and training options as `training.KEY`."""
    return parameters | {f"training.{key}": value for key, value in training.items()}


def _unknown(name: str, section: str, key: object, properties: dict) -> str:
    if not properties:
        return f"{name}.{section}: unknown key {key!r}; {name} has no {section} settings"
    return f"{name}.{section}: unknown key {key!r}{did_you_mean(key, properties)}; the keys are {', '.join(sorted(properties))}"


def _complete(properties: dict, values: dict, modality: str | None) -> dict:
    complete = {}
    for key, schema in properties.items():
        default = schema.get("modality_defaults", {}).get(modality, schema["default"])
        complete[key] = _typed(copy.deepcopy(values.get(key, default)), schema)
    return complete


def _typed(value: object, schema: dict) -> object:
    """Convert numbers to their exact type: JSON schema accepts 32.0 as an integer; Python and a content hash do not."""
    if isinstance(value, list):
        return [_typed(item, schema.get("items", {})) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return {"integer": int, "number": float}.get(schema.get("type"), type(value))(value)


def _not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
