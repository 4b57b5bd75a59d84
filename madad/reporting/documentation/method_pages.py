"""The pages of the methods, written from the cards: one for each, and an index with the systems that are not run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from madad.configuration import cards, part_choice
from madad.core.errors import UserError
from madad.core.provenance import complete
from madad.reporting.documentation import evidence

NOT_RUN = Path(__file__).parent / "not_run.yaml"
KINDS = {
    "covered": "is covered by a method here",
    "weights": "needs weights learnt from photographs",
    "web": "needs weights learnt from the web",
    "labels": "needs image labels",
    "pairs": "needs several registered sequences of every subject",
    "other": "asks another question",
    "later": "not written yet",
}
TRACKS = {
    "none": "nothing is learnt",
    "healthy": "healthy images alone",
    "pretrained": "healthy images, on an encoder that has learnt from other images before, such as photographs",
    "lesion-masks": "healthy images with synthetic lesions, which may start from masks of real ones",
    "image-labels": "images labelled as ill or healthy",
    "supervised": "masks of lesions",
}
STAGE_MARKS = {"inference": " *Inference.*", "training": " *Training.*"}
WRITTEN = "<!-- Written by `python -m madad stage cards --out docs/reference/methods` from the cards; edit those. -->"
HEAD = f"""# Methods

{WRITTEN}

Every method of this project has a page with the settings of its paper. Presets and configurations change them: `method_options`
in `config.yaml`. Values of the pipeline itself are in `results/provenance.json` of each run.

The training of a method does not depend on its settings marked *inference*: when one changes, the same weights are applied anew,
and variants that differ in nothing else share one training. What stands on the method as a part is trained again all the same.
Settings marked *training* decide how weights are learned and not what they mean: a training may start from weights that were
learned with other values ([model files](../../how-to/model_files.md)).
"""


def write(folder: Path) -> None:
    """Write the index and a page for every method into a folder, and remove pages of methods that no longer exist.

    Raises:
        UserError: the folder is a file, or holds pages that are not of methods.
    """
    every, folder = pages(), Path(folder)
    if folder.is_file():
        raise UserError(f"{folder}: is a file; give the folder for the pages, such as docs/reference/methods")
    folder.mkdir(parents=True, exist_ok=True)
    stale = [path for path in folder.glob("*.md") if path.name not in every]
    if foreign := [path.name for path in stale if WRITTEN not in path.read_text(encoding="utf-8")]:
        raise UserError(f"{folder}: holds {', '.join(sorted(foreign))}, which this command did not write; give another folder")
    for path in stale:
        path.unlink()
    for name, text in every.items():
        with complete(folder / name) as partial:
            partial.write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return the text of every page, as Markdown, by the name of its file."""
    return {"index.md": _joined(_index())} | {f"{name}.md": page(name) for name in cards.own_names()}


def page(name: str) -> str:
    """Return the page of one method, as Markdown."""
    return _joined(_page(name))


def _index() -> Iterator[str]:
    names, parts = [name for name in cards.own_names() if name not in cards.components()], cards.components()
    yield HEAD
    yield "\n".join(_overview(names))
    yield "Tracks, by what the training sees:\n\n" + "\n".join(f"* `{track}`: {meaning}" for track, meaning in TRACKS.items())
    yield "## Parts that methods stand on"
    yield "\n".join(f"* [`{name}`]({name}.md): {_text(cards.load(name)['title'])}" for name in parts)
    yield "## Systems that are not run, and why"
    yield "\n".join(_not_run())
    yield "```{toctree}\n:hidden:\n\n" + "\n".join([*names, *parts]) + "\n```"


def _joined(blocks: Iterator[str]) -> str:
    return "\n\n".join(block.strip("\n") for block in blocks) + "\n"


def systems() -> list[dict[str, str]]:
    """Return the systems that are not run.

    Raises:
        UserError: an entry lacks a key or is of an unknown kind.
    """
    entries = yaml.safe_load(NOT_RUN.read_text(encoding="utf-8"))
    for entry in entries:
        if set(entry) != {"name", "paper", "kind", "reason"} or entry["kind"] not in KINDS:
            raise UserError(f"{NOT_RUN}: {entry} needs name, paper, kind ({', '.join(KINDS)}) and reason")
    return entries


def _overview(names: tuple[str, ...] | list[str]) -> Iterator[str]:
    yield from _rows(("method", "year", "track", "trains on", "stands on", "steps", "model (MB)", "what it is"))
    for name in names:
        card = cards.load(name)
        size = str(card.get("model_mb") or "") if card["capabilities"]["trains"] else ""
        steps = str(card["training"]["steps"]["default"]) if card["capabilities"]["trains"] else ""
        yield _row(f"[`{name}`]({name}.md)", card["year"], card["track"], _shown(card), _parts(card), steps, size, card["title"])


def _page(name: str) -> Iterator[str]:
    """Yield the parts of a page: what a method is, settings, deviations from the paper, fidelity and published numbers."""
    card = cards.load(name)
    yield f"# {name}\n\n{WRITTEN}"
    yield f"**{card['title']}.** {card['summary']}"
    if shown := evidence.picture(name):
        yield f"![Slices of patients, the reference, and the maps of {name}]({shown.as_posix()})"
        yield f"*{evidence.CAPTION}*"
    yield "\n".join(_facts(card))
    if card["parameters"]:
        yield "## Settings"
        yield "\n".join(_settings("setting", card["parameters"], card["parameters"]))
    if own := _own_options(name):
        yield "## Training"
        yield "\n".join(_settings("training option", card["training"], own))
    if card["deviations"]:
        yield "## What differs from the paper"
        yield "\n".join(f"* {_text(line)}" for line in card["deviations"])
    yield "## Fidelity"
    yield evidence.fidelity(name)
    if known := list(evidence.published(name)):
        yield "## Published numbers"
        yield evidence.LEGEND
        yield "\n".join([*_rows(("paper", "its row", "what was measured", "number")), *(_row(*line) for line in known)])


def _facts(card: dict) -> Iterator[str]:
    code = f"; code: {card['code']} ({card['code_licence']})" if card["code"] else ""
    link = f", [doi:{card['doi']}](https://doi.org/{card['doi']})" if card["doi"] else ""
    paper = f"*{card['paper']}*, " if card["paper"] else ""
    yield f"* {card['authors']}: {paper}{card['venue']}, {card['year']}{link}{code}"
    able = ", ".join(capability for capability, can in card["capabilities"].items() if can) or "learns nothing"
    sees = _shown(card) or "nothing"
    yield f"* track `{card['track']}`; trains on {sees}; {', '.join(card['modalities']) or 'any sequence'}; {able}"
    asks = card["resources"]
    devices = f"{asks['gpu']} GPU, " if asks["gpu"] else ""
    yield f"* asks for {devices}{asks['threads']} threads, {asks['mem_mb']} MB and {asks['runtime_min']} minutes at most"
    for role, need in card["requires"].items():
        used = "none" if need["optional"] else f"`{need['default']}`"
        yield f"* `{role}`: {part_choice.in_words(need, '`')}; {used} unless the configuration names one"


def _settings(head: str, schemas: dict, shown: dict | list[str]) -> Iterator[str]:
    """Return a table of settings with defaults, units, meanings and sources."""
    yield from _rows((head, "default", "unit", "meaning", "source"))
    for key in shown:
        schema = schemas[key]
        meaning = schema["description"] + _choices(schema) + STAGE_MARKS.get(schema.get("stage"), "")
        yield _row(f"`{key}`", _default(schema), schema["unit"], meaning, schema["source"])


def _default(schema: dict) -> str:
    by_modality = "".join(f"; {modality}: `{_value(value)}`" for modality, value in schema.get("modality_defaults", {}).items())
    return f"`{_value(schema['default'])}`{by_modality}"


def _choices(schema: dict) -> str:
    return f" One of {', '.join(_value(value) for value in schema['enum'])}." if "enum" in schema else ""


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _own_options(name: str) -> list[str]:
    """Return the training options for which the card gives a default or a source of its own."""
    written = yaml.safe_load(cards.path(name).read_text(encoding="utf-8"))["training"]
    return [key for key in cards.load(name)["training"] if key in written]


def _shown(card: dict) -> str:
    """Return what the training shows a method."""
    if not (card["capabilities"]["trains"] or card["capabilities"]["fits"]):
        return ""
    data = card["training_data"]
    return data["kind"] + (" with synthetic lesions" if data["pairs"] else "")


def _parts(card: dict) -> str:
    names = [f"({need['default']})" if need["optional"] else need["default"] for need in card["requires"].values()]
    return ", ".join(names)


def _not_run() -> Iterator[str]:
    yield from _rows(("system", "paper", "why not", "in words"))
    for kind, meaning in KINDS.items():
        for entry in systems():
            if entry["kind"] == kind:
                yield _row(entry["name"], entry["paper"], meaning, entry["reason"])


def _rows(head: tuple[str, ...]) -> Iterator[str]:
    yield _row(*head)
    yield "|" + "---|" * len(head)


def _row(*cells: object) -> str:
    return f"| {' | '.join(_text(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def _text(value: object) -> str:
    """Return a text as one line, whatever the breaks in the card."""
    return " ".join(str(value).split())
