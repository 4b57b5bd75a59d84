"""Images of a run that show one scan or one person twice, across its splits and cohorts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from madad.core.intensity_scale import seen
from madad.core.io.hdf5 import Pack
from madad.core.logs import progress
from madad.evaluation.leakage import duplicates

# Findings listed one by one, and volumes kept while pairs are compared.
SHOWN, KEPT = 8, 64


@dataclass(frozen=True)
class Finding:
    """One line of the table: what was checked, where, how it went (`good`, `doubtful` or `bad`), and what was found."""

    check: str
    scope: str
    state: str
    found: str


@dataclass(frozen=True)
class Image:
    """One volume of a pack: its place, its cohort and split, and whose it is."""

    path: Path
    index: int
    cohort: str
    split: str
    subject: str
    name: str


def images(packs: Sequence[Path]) -> Iterator[Finding]:
    """No image of a test or validation subject is another split's image again, also across cohorts; no person is tested twice."""
    by_modality: dict[str, list[Path]] = {}
    for path in packs:
        with Pack(path) as pack:
            if len(pack):
                by_modality.setdefault(pack.modality, []).append(path)
    for modality, own in by_modality.items():
        yield from _of_modality(modality, listed(own))


def listed(packs: Sequence[Path]) -> list[Image]:
    """Return every volume of some packs; a subject without a name of its own is called as its sample."""
    found = []
    for path in packs:
        with Pack(path) as pack:
            whose = [str(known.get("subject") or name) for known, name in zip(pack.covariates, pack.names, strict=True)]
            rows = enumerate(zip(whose, pack.names, strict=True))
            found += [Image(Path(path), index, pack.cohort, pack.split, subject, name) for index, (subject, name) in rows]
    return found


def _of_modality(modality: str, shown: Sequence[Image]) -> Iterator[Finding]:
    with Pack(shown[0].path) as pack:
        shape, spacing = pack.shape, pack.spacing_mm[0]
    album = duplicates.Album(spacing)
    for image in progress(shown, f"comparing images ({modality})"):
        seen = _view(image.path, image.index)
        if seen.picture.shape != shape:
            yield Finding(
                "No image in two splits", modality, "doubtful", f"{image.path} lies on another grid; nothing was compared"
            )
            return
        album.add(seen, image.cohort)

    def worth(i: int, j: int) -> bool:
        one, other = shown[i], shown[j]
        return (one.cohort, one.subject) != (other.cohort, other.subject) and (one.split != other.split or one.split == "test")

    pairs = sorted(album.candidates(worth))
    alike = []
    for one, other in progress([(shown[i], shown[j]) for i, j in pairs], f"looking closer ({modality})"):
        views = _view(one.path, one.index), _view(other.path, other.index)
        alike.append((album.likeness(*views, (one.cohort, other.cohort)), one, other))
    across = [pair for pair in alike if pair[1].split != pair[2].split]
    within = [pair for pair in alike if pair[1].split == pair[2].split]
    yield _verdict("No image in two splits", modality, across, "bad")
    yield _verdict("Nobody tested twice", modality, within, "doubtful")
    _view.cache_clear()


def _verdict(check: str, modality: str, pairs: list[tuple[float, Image, Image]], worst: str) -> Finding:
    pairs = sorted(pairs, key=lambda pair: -pair[0])
    found = [pair for pair in pairs if pair[0] >= duplicates.ALIKE]
    if not found:
        highest = f"the most alike are {_pair(*pairs[0])}" if pairs else f"no two above {duplicates.FIRST_LOOK}"
        return Finding(check, modality, "good", highest)
    lines = [_pair(*pair) for pair in found]
    state = worst if found[0][0] >= duplicates.COPY else "doubtful"
    return Finding(check, modality, state, "; ".join([*lines[:SHOWN], *rest(lines)]))


def _pair(likeness: float, one: Image, other: Image) -> str:
    first, second = (f"{image.name} ({image.cohort} {image.split})" for image in (one, other))
    return f"{first} and {second}, r = {likeness:.2f}"


@lru_cache(maxsize=KEPT)
def _view(path: Path, index: int) -> duplicates.View:
    with Pack(path) as pack:
        return duplicates.view(seen(pack.image(index)), pack.brain(index), pack.spacing_mm[0])


def rest(words: Sequence[str]) -> list[str]:
    """Return what follows the first `SHOWN`: how many more there are, or nothing."""
    return [f"and {len(words) - SHOWN} more"] if len(words) > SHOWN else []
