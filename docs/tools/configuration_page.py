"""The reference of the configuration, from its schema: a page a group of keys, written when the site is built."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from madad.configuration import json_schema

TYPES = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
HEAD = """# Configuration

Every key of `config.yaml`, or of the file that `--configfile` names. Keys that a file leaves out are those of `config.yaml`, then
those of the preset, then the defaults below. A misspelt key stops a run before its first job. What a changed key makes run again:
[](../reruns.md). The same as a JSON schema, for editors: `schemas/config.schema.json`.
"""


def write(folder: Path) -> None:
    """Write the index and one page for every key of the first level that has keys below it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text:
            (folder / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return the text of every page by the name of its file."""
    schema = published()
    long = [key for key, value in schema["properties"].items() if len(list(_below(value, key))) > 1]
    index = [HEAD, _table(_first_level(schema, long)), "```{toctree}\n:hidden:\n\n" + "\n".join(long) + "\n```"]
    made = {"index.md": "\n".join(index) + "\n"}
    for key in long:
        value = schema["properties"][key]
        made[f"{key}.md"] = f"# {key}\n\n{_sentence(value)}\n\n{_table(list(_below(value, key)))}"
    return made


def published() -> dict:
    """Return the schema of the configuration."""
    return json.loads(json_schema.text("config"))


def keys() -> list[str]:
    """Return every key, with its path, `*` for a name that the user chooses."""
    return [key for name, value in published()["properties"].items() for key in [name, *(row[0] for row in _below(value, name))]]


def _first_level(schema: dict, long: list[str]) -> list[tuple[str, ...]]:
    required = set(schema["required"])
    return [
        (
            f"[{key}]({key}.md)" if key in long else f"`{key}`",
            "keys" if key in long else _kind(value),
            "in config.yaml" if key in required else ("" if key in long else _default(value)),
            value.get("description", ""),
        )
        for key, value in schema["properties"].items()
    ]


def _below(value: dict, path: str) -> Iterator[tuple[str, ...]]:
    """Yield the rows of all keys below one."""
    for key, inner in value.get("properties", {}).items():
        leaf = not inner.get("properties") and not isinstance(inner.get("additionalProperties"), dict)
        yield f"{path}.{key}", _kind(inner) if leaf else "keys", _default(inner) if leaf else "", inner.get("description", "")
        yield from _below(inner, f"{path}.{key}")
    extra = value.get("additionalProperties")
    if isinstance(extra, dict) and (extra.get("properties") or extra.get("description")):
        if not extra.get("properties"):
            yield f"{path}.*", _kind(extra), _default(extra), extra.get("description", "")
        yield from _below(extra, f"{path}.*")


def _table(rows: list[tuple[str, ...]]) -> str:
    named = [(row[0] if row[0].startswith(("[", "`")) else f"`{row[0]}`", *row[1:]) for row in rows]
    lines = [("key", "value", "default", "meaning"), ("---",) * 4, *named]
    return "".join(f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _kind(value: dict) -> str:
    if "enum" in value:
        return ", ".join(f"`{_text(one)}`" for one in value["enum"])
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_kind(one) for one in value["anyOf"]))
    if value.get("type") == "array":
        several = f"{value['minItems']} " if value.get("minItems") and value.get("minItems") == value.get("maxItems") else ""
        return f"list of {several}{_kind(value.get('items', {})) or 'values'}"
    if value.get("type") == "object":
        return "keys"
    return TYPES.get(value.get("type", ""), "") + _range(value)


def _range(value: dict) -> str:
    bounds = []
    for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<")):
        if key in value:
            bounds.append(f"{sign} {value[key]:g}")
    return f" {', '.join(bounds)}" if bounds else ""


def _default(value: dict) -> str:
    return f"`{_text(value['default'])}`" if "default" in value else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _sentence(value: dict) -> str:
    text = value.get("description", "")
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
