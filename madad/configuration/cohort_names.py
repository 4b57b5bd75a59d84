"""What the file names of a data set tell before anything is read: its edition, and the sequences that it has.

The card of a kind may state its names, once for the code that finds the images and for the check before a run:

    editions                        list of the editions that are read, each with `edition`, `image`, and what differs:
                                    `example`, a file name for messages; `variant`; `dataset`
    image                           regular expression of an image's path, with the folder's name in front and without the ending;
                                    the group `sequence` is the data set's own word for the sequence
    words                           sequence by word, as BIDS suffixes; images of other words are passed over
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from madad.configuration import cohort_cards, subject_counts
from madad.configuration.schema import Options
from madad.core.io.bids_names import sequence_of
from madad.core.io.file_types import image_ending

ENDING = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
SHOWN = 3


@dataclass(frozen=True)
class Name:
    """The name of an image, understood.

    Attributes:
        edition: name of the edition.
        sequence: BIDS suffix; empty for a sequence that is not used, such as diffusion.
        parts: the groups of the pattern, such as subject, session or site; None where a part is missing.
    """

    edition: str
    sequence: str
    parts: dict[str, str | None]


def understood(kind: str, root: str | Path, path: str | Path, variant: str | None = None) -> Name | None:
    """Return what the name of a file says; None for a file that is no image of the kind and the variant.

    Args:
        kind: of cohort.
        root: the data set's folder.
        path: a file below it.
        variant: that of the cohort; None for kinds that have one.
    """
    return _understood(kind, named(root, path), variant)


def named(root: str | Path, path: str | Path) -> str:
    """Return a file's path below a root with the root's own name in front: a root may be the folder of one patient."""
    return f"{Path(root).name}/{Path(path).relative_to(root).as_posix()}"


def _understood(kind: str, name: str, variant: str | None) -> Name | None:
    stem, endings = ENDING.subn("", name)
    if not endings:
        return None
    words = cohort_cards.card(kind)["words"]
    for edition, pattern in _patterns(kind, variant):
        if match := pattern.fullmatch(stem):
            parts = match.groupdict()
            return Name(edition, words.get((parts.get("sequence") or "").lower(), ""), parts)
    return None


@cache
def _patterns(kind: str, variant: str | None) -> tuple[tuple[str, re.Pattern[str]], ...]:
    editions = [one for one in cohort_cards.card(kind)["editions"] if one.get("variant") in (None, variant)]
    return tuple((one["edition"], re.compile(one["image"], re.IGNORECASE)) for one in editions)


def example(kind: str) -> str:
    """Return names of images of a kind, for messages: one of each edition."""
    return " or ".join(dict.fromkeys(one["example"] for one in cohort_cards.card(kind)["editions"]))


def editions(kind: str, names: Iterable[str], variant: str | None = None) -> dict[str, str]:
    """Return the editions that files belong to by name, each with the first of its images.

    Args:
        kind: of cohort.
        names: of the files, from `named`.
        variant: that of the cohort.
    """
    found: dict[str, str] = {}
    for name in names:
        known = _understood(kind, name, variant)
        if known:
            found.setdefault(known.edition, name.partition("/")[2])
    return found


def defaults(kind: str, given: Options) -> Options:
    """Return the options that a kind sets (`cohort_cards.defaults`), with the public data set that the found edition is.

    Args:
        kind: of cohort.
        given: options of the cohort in the configuration.
    """
    options = cohort_cards.defaults(kind, given)
    if "dataset" not in options or "editions" not in cohort_cards.card(kind) or not _is_folder(given):
        return options
    found = editions(kind, _listed(str(given["root"])), given.get("variant", options.get("variant")))
    datasets = {one["edition"]: one.get("dataset") for one in cohort_cards.card(kind)["editions"]}
    return {**options, "dataset": datasets[next(iter(found))]} if len(found) == 1 else options


def sequences(cohort: Options) -> list[str] | None:
    """Return the sequences that a cohort has, by the names of its files; None if they tell nothing.

    Args:
        cohort: complete options of a cohort.
    """
    kind, card = cohort["kind"], cohort_cards.card(cohort["kind"])
    if not _is_folder(cohort) or (kind != "bids" and "editions" not in card):
        return card.get("modalities")
    if kind == "bids":
        found = {sequence_of(name.partition("/")[2]) for name in _listed(cohort["root"])}
    elif any("sequence" not in re.compile(one["image"]).groupindex for one in card["editions"]):
        return card["modalities"]
    else:
        names = (_understood(kind, name, cohort["variant"]) for name in _listed(cohort["root"]))
        found = {name.sequence for name in names if name}
    return sorted(found - {""}) or None


def problems(where: str, cohort: Options) -> Iterator[str]:
    """Yield why the files of a cohort cannot be understood, one sentence each, before anything is read.

    Args:
        where: the cohort's key, for the messages.
        cohort: its complete options.
    """
    kind, root = cohort["kind"], cohort.get("root")
    if "editions" not in cohort_cards.card(kind) or cohort["download"] or not _is_folder(cohort):
        return
    names = _listed(str(root))
    yield from (f"{where}.root: {root} {fault}" for fault in faults(kind, names))
    if not editions(kind, names, cohort["variant"]):
        variant = f" of the variant {cohort['variant']}" if cohort["variant"] else ""
        yield f"{where}.root: {root} holds no images{variant} named like {example(kind)}\n{cohort_cards.directions(kind)}"


def faults(kind: str, names: Iterable[str]) -> Iterator[str]:
    """Yield why files cannot be read as one edition of a data set: names of no known edition, or of several.

    Args:
        kind: of cohort.
        names: of the files, from `named`.
    """
    names, title = list(names), cohort_cards.card(kind)["title"]
    if unknown := _unknown(kind, names):
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        yield (
            f"holds names of no known edition of {title}: {', '.join(unknown[:SHOWN])}{more}; known are {example(kind)}. "
            "Move them out of the folder, or arrange the data as BIDS (kind: bids)"
        )
    found = editions(kind, names)
    if len(found) > 1:
        both = " and ".join(f"{edition} ({name})" for edition, name in sorted(found.items()))
        yield f"holds {both}; editions share patients under other names, so give a cohort one of them"


def _unknown(kind: str, names: Iterable[str]) -> list[str]:
    """Return the images that bear the data set's name in an edition that is not known, sorted.

    Only a card with `mark`, what the names of its files begin with, and a pattern `case` for every edition, what those of its
    masks and derived images begin with, too, has such files.
    """
    card = cohort_cards.card(kind)
    if "mark" not in card:
        return []
    mark = re.compile(card["mark"], re.IGNORECASE)
    cases = re.compile("|".join(one["case"] for one in card["editions"]), re.IGNORECASE)
    marked = [name for name in names if ENDING.search(name) and mark.match(Path(name).name)]
    return sorted(name.partition("/")[2] for name in marked if not cases.match(Path(name).name))


def _is_folder(cohort: Options) -> bool:
    return bool(cohort.get("root")) and Path(cohort["root"]).is_dir()


@cache
def _listed(root: str) -> tuple[str, ...]:
    """Return the images below a folder, sorted, each with the folder's own name in front; hidden ones are left out."""
    top = Path(root)
    found: list[str] = []
    for folder, names in subject_counts.walk(root, hidden=False):
        start = named(top, folder).removesuffix("/.")
        found += [f"{start}/{name}" for name in names if image_ending(name)]
    return tuple(sorted(found))
