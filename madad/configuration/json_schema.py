"""The JSON schemas of the configuration and of presets, for editors, generated from the models.

    python -m madad.configuration.json_schema

writes `schemas/config.schema.json` and `schemas/preset.schema.json` again; a test fails while the files differ from the models.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from madad.configuration.field_types import Section
from madad.configuration.model import Config, Preset
from madad.core import workflow_files

FOLDER = workflow_files.FOLDER / "schemas"
# pydantic's names for the bounds of a number that a function validates
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
MODELS: dict[str, type[Section]] = {"config": Config, "preset": Preset}


class _WithoutTitles(GenerateJsonSchema):
    """pydantic's schemas without a title for every key, which would repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return whether a key gets a title: none does."""
        return False


def of(model: type[Section]) -> dict[str, Any]:
    """Return the JSON schema of a model, with the schemas of its sections written out in place."""
    schema = model.model_json_schema(schema_generator=_WithoutTitles)
    return _written_out(schema, schema.pop("$defs", {}))


def text(name: str) -> str:
    """Return the contents of `schemas/<name>.schema.json`."""
    schema = of(MODELS[name])
    title = schema.pop("description")
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}, indent=2) + "\n"


def _written_out(schema: Any, sections: dict[str, Any]) -> Any:
    """Return a schema with references resolved and bounds under JSON schema's names."""
    if isinstance(schema, list):
        return [_written_out(part, sections) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        referred = sections[schema["$ref"].rsplit("/", 1)[-1]]
        return _written_out({**referred, **{key: value for key, value in schema.items() if key != "$ref"}}, sections)
    schema = {key: _written_out(part, sections) for key, part in schema.items() if key != "title"}
    schema = {BOUNDS.get(key, key): part for key, part in schema.items()}
    if "patternProperties" in schema:
        ((pattern, entry),) = schema.pop("patternProperties").items()
        schema |= {"propertyNames": {"pattern": pattern}, "additionalProperties": entry}
    return schema


def main() -> None:
    """Write the schemas."""
    for name in MODELS:
        (FOLDER / f"{name}.schema.json").write_text(text(name))


if __name__ == "__main__":
    main()
