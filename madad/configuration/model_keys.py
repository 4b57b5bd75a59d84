"""Every key of the configuration, from the models that define them."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from madad.configuration.field_types import Section
from madad.configuration.model import Config


def keys(model: type[Section] = Config, above: str = "") -> dict[str, Any]:
    """Return the type of every key by its name, with dots between the parts; `*` stands for names that a user chooses.

    Args:
        model: section to begin with.
        above: what stands before its keys.
    """
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        found.update(_within(above + name, field.annotation))
    return found


def _within(key: str, kind: Any) -> Iterator[tuple[str, Any]]:
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Annotated:
        yield from _within(key, arguments[0])
    elif _is_section(kind):
        yield from keys(kind, f"{key}.").items()
    elif typing.get_origin(kind) is dict and _is_section(arguments[1]):
        yield from keys(arguments[1], f"{key}.*.").items()
    else:
        yield key, kind


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)
