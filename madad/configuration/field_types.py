"""Types of configuration fields: what pydantic accepts for each, and how text from the command line is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, WrapValidator
from pydantic_core import PydanticCustomError, PydanticKnownError

T = TypeVar("T")

NAME = "^[a-z][a-z0-9_]*$"


class Section(BaseModel):
    """A mapping of the configuration: its fields are the keys, and no other key is allowed."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def without_default(description: str, **rules: Any) -> Any:
    """Return a field that is absent from the resolved configuration unless it is given; null is refused."""
    return Field(
        default=None,
        exclude_if=lambda value: value is None,
        description=description,
        json_schema_extra=lambda schema: schema.pop("default"),
        **rules,
    )


def _whole_number(value: Any, convert: Callable[[Any], int]) -> int:
    if isinstance(value, bool):  # Python takes True for 1
        raise PydanticKnownError("int_type")
    return convert(value)


def _number(value: Any, convert: Callable[[Any], float]) -> float:
    """Check a number. Integers stay integers: the text of parameters, and with it what reruns, must not depend on the check."""
    if isinstance(value, bool):
        raise PydanticKnownError("float_type")
    number = convert(value)
    return value if isinstance(value, int) else number


def _read_null(value: Any) -> Any:
    return None if isinstance(value, str) and value.lower() in ("null", "none", "") else value


def _distinct(values: list[T]) -> list[T]:
    if any(value in values[:position] for position, value in enumerate(values)):
        raise PydanticCustomError("not_distinct", "contains a value twice")
    return values


# Numbers given as text are converted, truth values are refused.
Integer = Annotated[int, WrapValidator(_whole_number)]
Number = Annotated[float, WrapValidator(_number)]
Natural = Annotated[Integer, Field(ge=0)]
Count = Annotated[Integer, Field(ge=1)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=NAME)]
# A value or null; the texts "null" and "none" are read as null. For types that are not text.
OrNone = Annotated[T | None, BeforeValidator(_read_null)]
# Lists: at least one value, values that differ, or both.
AtLeastOne = Annotated[list[T], Field(min_length=1)]
Distinct = Annotated[list[T], AfterValidator(_distinct), Field(json_schema_extra={"uniqueItems": True})]
DistinctAtLeastOne = Annotated[
    list[T], Field(min_length=1), AfterValidator(_distinct), Field(json_schema_extra={"uniqueItems": True})
]
# A sequence: a suffix of BIDS, such as T1w, or T1ce.
Modality = Annotated[str, Field(pattern="^[A-Za-z0-9]+$")]
# A value of a BIDS entity: a text or a number, several of which any will do, or null where the entity must be absent.
EntityValue = str | int | list[str | int] | None


def _initial(value: Any) -> Any:
    """Read what trainings start from: a text, or a mapping of names to texts; null is none."""
    if isinstance(value, dict):
        value = {name: "none" if one is None else one for name, one in value.items()}
    else:
        value = "none" if value is None else value
    texts = value.values() if isinstance(value, dict) else [value]
    if not all(isinstance(one, str) and one for one in texts):
        raise PydanticCustomError("initial_weights", "write none, bundled, or a mapping such as {mddpm: model.zip}")
    return value


_PLACE = {"type": "string", "minLength": 1}
# Weights to start trainings from: a word for all methods, or by name a word or a file.
InitialWeights = Annotated[
    str | dict[str, str],
    BeforeValidator(_initial),
    WithJsonSchema({"anyOf": [{"enum": ["none", "bundled"]}, {"type": "object", "additionalProperties": _PLACE}]}),
]
