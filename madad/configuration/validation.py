"""Check options against a model and describe every problem in a sentence: key, value, what is allowed, nearest known name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from madad.configuration import json_schema
from madad.configuration.field_types import NAME, Section
from madad.configuration.schema import nearest
from madad.core.errors import UserError, did_you_mean

Model = TypeVar("Model", bound=Section)

# What a value should be, by the first part of pydantic's type of error.
KINDS = {
    "bool": "of type 'boolean'",
    "dict": "a mapping of keys to values",
    "float": "of type 'number'",
    "int": "of type 'integer'",
    "list": "a list",
    "model": "a mapping of keys to values",
    "string": "of type 'string'",
}
# What a value is instead, by pydantic's type of error; the names in braces are of its context, and `value`.
SENTENCES = {
    "finite_number": "{value} is not a finite number",
    "greater_than": "{value} is not greater than {gt:g}",
    "greater_than_equal": "{value} is less than the minimum of {ge:g}",
    "less_than_equal": "{value} is greater than the maximum of {le:g}",
    "not_distinct": "{value} contains a value twice",
    "string_too_short": "{value} is empty; give a text, or leave the key out",
    "too_long": "{value} is too long; give {max_length} values",
}
PATTERNS = {NAME: "names are lower-case letters, digits and underscores, and start with a letter"}


# Keys that a mapping does not have, and keys that are not text.
UNKNOWN = ("extra_forbidden", "invalid_key")


class OptionsError(UserError):
    """Options that a model refuses.

    Attributes:
        problems: one sentence each.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def validated(model: type[Model], options: object) -> Model:
    """Return options as an instance of a model: text read as numbers, defaults filled in.

    Raises:
        OptionsError: with every problem, in the order of the keys.
    """
    try:
        return model.model_validate(options)
    except ValidationError as error:
        found = sorted(error.errors(include_url=False), key=lambda one: [str(part) for part in _path(one)])
        schema = json_schema.of(model)
        raise OptionsError([f"{_key(one)}: {_explanation(one, schema)}" for one in found]) from None


def _path(error: ErrorDetails) -> tuple[int | str, ...]:
    """Return the path of the value that is to be changed: of a mapping, if one of its keys is missing or wrong."""
    path = error["loc"]
    if path[-1:] == ("[key]",):
        return path[:-2]
    return path[:-1] if error["type"] in ("missing", *UNKNOWN) else path


def _key(error: ErrorDetails) -> str:
    return ".".join(map(str, _path(error))) or "top level"


def _explanation(error: ErrorDetails, schema: dict[str, Any]) -> str:
    """Return what is wrong with a value."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing":
        return f"'{error['loc'][-1]}' is missing; it has no default"
    if kind in UNKNOWN:
        key = error["loc"][-1]
        return f"unknown key '{key}'{nearest(str(key), _part(schema, error['loc'][:-1])['properties'])}"
    if kind == "literal_error":
        allowed = _part(schema, error["loc"])["enum"]
        return f"{value!r} is not one of {allowed}{did_you_mean(value, allowed)}"
    if kind == "too_short":
        number = context["min_length"]
        return f"{value!r} is too short; give {number} values" if value else f"{value!r} is empty; give at least one value"
    if kind == "string_pattern_mismatch":
        hint = PATTERNS.get(context["pattern"], "")
        return f"{value!r} does not match '{context['pattern']}'" + (f"; {hint}" if hint else "")
    if kind in SENTENCES:
        return SENTENCES[kind].format(value=repr(value), **context)
    if kind.split("_")[0] in KINDS:
        return f"{value!r} is not {KINDS[kind.split('_')[0]]}{_hint(kind, value)}"
    return f"{value!r}: {error['msg']}"


def _hint(kind: str, value: object) -> str:
    """Return what to write instead of a value of the wrong type, if that is clear."""
    if kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
        return f"; YAML reads it as a number, write it in quotes: '{value}'"
    if kind == "list_type" and isinstance(value, str | int | float):
        return f"; write [{value}]"
    return ""


def _part(schema: dict[str, Any], path: tuple[int | str, ...] | list[int | str]) -> Mapping[str, Any]:
    """Return the part of a JSON schema that a key is described by."""
    for step in path:
        schema = _not_null(schema)
        named = schema.get("properties", {}).get(step) or schema.get("additionalProperties", {})
        schema = schema["items"] if isinstance(step, int) else named
    return _not_null(schema)


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema, or of one that allows null the other alternative."""
    return next((part for part in schema.get("anyOf", []) if part != {"type": "null"}), schema)
