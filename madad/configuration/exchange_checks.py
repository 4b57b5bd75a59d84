"""Checks of the methods whose maps are made outside madad, before the first job."""

from __future__ import annotations

import shlex
import string
from collections.abc import Iterator
from pathlib import Path

from madad.configuration import cards
from madad.configuration.schema import Options

FOLDER_FIELDS = ("testset", "modality", "split")
FILE_FIELDS = ("name", "case", "subject", "session", *FOLDER_FIELDS)
COMMAND_FIELDS = ("input", "brains", "output")


def problems(entries: Options, test_on: list[str], cohorts: Options) -> Iterator[str]:
    """Yield what would make a job fail: folders that do not exist, fields that mean nothing, commands without folders.

    Args:
        entries: of `madad.configuration.experiments`.
        test_on: test sets.
        cohorts: names of the cohorts, whose images lie in files; those of other test sets exist on the template's grid alone.
    """
    for name, entry in entries.items():
        if entry["base"] not in cards.elsewhere() or not entry["options"]:
            continue
        own = next(iter(entry["options"].values()))["parameters"]
        where = f"method_options.{name}.parameters"
        yield from _of_program(where, own) if entry["base"] == "program" else _of_folder(where, own, test_on, cohorts)


def fixed_part(folder: str) -> Path | None:
    """Return the part of a folder before its first field, None for an empty text."""
    if not folder:
        return None
    head, brace, _ = folder.partition("{")
    return Path(head).parent if brace and not head.endswith("/") else Path(head)


def _of_folder(where: str, own: Options, test_on: list[str], cohorts: Options) -> Iterator[str]:
    if not own["folder"]:
        yield f"{where}.folder: is missing; name the folder with the maps"
    yield from _unknown_fields(f"{where}.folder", own["folder"], FOLDER_FIELDS)
    yield from _unknown_fields(f"{where}.file", own["file"], FILE_FIELDS)
    folder = fixed_part(own["folder"])
    if folder is not None and not folder.is_dir():
        yield f"{where}.folder: there is no folder '{folder}'; correct the path or mount the disk"
    made = [testset for testset in test_on if testset not in cohorts]
    if own["space"] == "native" and made:
        yield (
            f"{where}.space: the images of {', '.join(made)} exist on the template's grid alone, so that no map of them can be "
            "native; use space: template (madad export-testset writes the images), or leave these test sets out"
        )


def _of_program(where: str, own: Options) -> Iterator[str]:
    yield from _unknown_fields(f"{where}.command", own["command"], COMMAND_FIELDS)
    try:
        words = shlex.split(own["command"])
    except ValueError as error:
        yield f"{where}.command: '{own['command']}' is not a command ({error}); close its quotes"
        return
    for field in ("{input}", "{output}"):
        if not any(field in word for word in words):
            yield f"{where}.command: '{own['command']}' has no {field}, so that the program cannot know the folder; add it"
    if not own["container"] and words and words[0].startswith("{"):
        yield f"{where}.command: '{own['command']}' names no program; put it first, or name a container"


def _unknown_fields(where: str, text: str, known: tuple[str, ...]) -> Iterator[str]:
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(text) if field is not None]
    except ValueError as error:
        yield f"{where}: '{text}' cannot be read ({error}); write {{{{ and }}}} for braces that are no field"
        return
    for field in fields:
        if field not in known:
            yield f"{where}: {{{field}}} means nothing here; the fields are {', '.join(f'{{{name}}}' for name in known)}"
