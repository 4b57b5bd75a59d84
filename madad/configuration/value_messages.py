"""Say what is wrong with a value of a card's parameter, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from madad.core.errors import did_you_mean

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def explain(error: ValidationError) -> str:
    """Return what a JSON schema has against a value, in words."""
    if error.validator == "type" and isinstance(error.instance, str) and _is_number(error.instance):
        return f"{error.instance!r} is text, a number is needed; {_as_number(error.instance)}"
    if error.validator == "type":
        return f"{error.instance!r} is not of type {error.validator_value}"
    if error.validator == "enum":
        allowed = [str(value) for value in error.validator_value]
        return f"{error.instance!r} is not one of {', '.join(allowed)}{did_you_mean(error.instance, allowed)}"
    return error.message


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_number(text: str) -> str:
    if "e" in text.lower() and "." not in text:
        return f"YAML reads {text} as text, write {float(text):.1e} or {float(text)!r}"
    return f"write {text} without quotes"
