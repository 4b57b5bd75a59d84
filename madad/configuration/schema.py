"""Options as plain dicts: merging, names that do not exist, and JSON schemas where a model would gain nothing.

The configuration is checked by the pydantic models of `madad.configuration.model`. JSON schema remains for the parameters of
method cards, which are data: anyone may add a card, and a card states type, bounds and default in JSON schema's own words; and
for `schemas/published.schema.json` and `schemas/manifest.schema.json`, which check files and fill in little.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from madad.core import workflow_files
from madad.core.errors import did_you_mean

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

FOLDER = workflow_files.FOLDER / "schemas"

Options = dict[str, Any]


def read(name: str) -> Options:
    """Return the schema `schemas/<name>.schema.json`."""
    return json.loads((FOLDER / f"{name}.schema.json").read_text())


def coerce(value: Any, schema: Options) -> Any:
    """Convert text to the number, truth value or null that the schema requires, if possible."""
    if isinstance(value, dict):
        return {key: coerce(entry, _schema_of(key, schema)) for key, entry in value.items()}
    if isinstance(value, list):
        return [coerce(entry, schema.get("items", {})) for entry in value]
    return _from_text(value, _as_list(schema.get("type", []))) if isinstance(value, str) else value


def fill(value: Any, schema: Options) -> Any:
    """Return a value with the schema's defaults filled in, at every depth."""
    if isinstance(value, dict):
        defaults = {key: part["default"] for key, part in schema.get("properties", {}).items() if "default" in part}
        return {key: fill(entry, _schema_of(key, schema)) for key, entry in {**defaults, **value}.items()}
    return value


def check(config: Options, schema: Options) -> Iterator[str]:
    """Yield one line for every violation of the schema, with key, value, what is allowed and the nearest known name."""
    from jsonschema import Draft202012Validator  # takes a tenth of a second, and most stages check nothing

    for error in sorted(Draft202012Validator(schema).iter_errors(config), key=lambda e: [str(p) for p in e.path]):
        where = ".".join(str(part) for part in error.path) or "top level"
        if error.validator == "additionalProperties":
            known = [] if isinstance(error.schema, bool) else list(error.schema.get("properties", {}))
            for key in sorted(set(error.instance) - set(known)):
                yield f"{where}: unknown key '{key}'{nearest(key, known)}"
        else:
            yield f"{where}: {error.message}{_hint(error)}"


def merge(under: Options, over: Options) -> Options:
    """Return `under` updated by `over`, nested mappings key by key."""
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def unknown(where: str, kind: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence for a name that does not exist, with the nearest that does."""
    return f"{where}: no {kind} is called '{name}'{nearest(name, known)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about a name that does not exist."""
    return did_you_mean(name, known) or f"; known: {', '.join(sorted(known))}"


def _hint(error: ValidationError) -> str:
    """Return what to do about a violation, where the message of jsonschema does not say it."""
    if error.validator == "minItems" and error.instance:
        return f"; give {error.validator_value} values"
    is_number = isinstance(error.instance, int | float) and not isinstance(error.instance, bool)
    if error.validator == "type" and error.validator_value == "string" and is_number:
        return f"; YAML reads it as a number, write it in quotes: '{error.instance}'"
    return ""


def _schema_of(key: str, schema: Options) -> Options:
    extra = schema.get("additionalProperties")
    return schema.get("properties", {}).get(key) or (extra if isinstance(extra, dict) else {})


def _as_list(kinds: str | list[str]) -> list[str]:
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _from_text(text: str, kinds: list[str]) -> Any:
    """Read a text as the first kind that it fits; a text that fits none is returned as it is, and the schema refuses it."""
    if "string" in kinds:
        return text
    constants: dict[str, bool | None] = {"true": True, "false": False} if "boolean" in kinds else {}
    constants |= {"null": None, "none": None, "": None} if "null" in kinds else {}
    if text.lower() in constants:
        return constants[text.lower()]
    for kind, convert in (("integer", int), ("number", float)):
        with suppress(ValueError):
            if kind in kinds:
                return convert(text)
    return text
