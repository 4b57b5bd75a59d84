"""Images of a run that show one scan or one person twice, across its splits and cohorts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from madad.core.intensity_scale import seen
from madad.core.io.hdf5 import Pack
from madad.core.logs import progress
from madad.core.shapes import Shape3
from madad.evaluation.leakage import duplicates

# Findings listed one by one, and volumes kept while pairs are compared.
SHOWN, KEPT = 8, 64


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Attributes:
        check, scope: what was checked, and where.
        found: what came out.
        affected: which numbers cannot be trusted because of it; "" where the check was passed.
    """

    check: str
    scope: str
    found: str
    affected: str = ""

    @property
    def state(self) -> str:
        """`good` or `bad`, for colour."""
        return "bad" if self.affected else "good"


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
        grid = (pack.shape, pack.affine.tobytes())
        album = duplicates.Album(pack.spacing_mm[0])
    for image in progress(shown, f"comparing images ({modality})"):
        album.add(_view(image.path, image.index, grid), image.cohort)

    def worth(i: int, j: int) -> bool:
        one, other = shown[i], shown[j]
        return (one.cohort, one.subject) != (other.cohort, other.subject) and (one.split != other.split or one.split == "test")

    pairs = sorted(album.candidates(worth))
    alike = []
    for one, other in progress([(shown[i], shown[j]) for i, j in pairs], f"looking closer ({modality})"):
        views = _view(one.path, one.index, grid), _view(other.path, other.index, grid)
        alike.append((album.likeness(*views, (one.cohort, other.cohort)), one, other))
    across = [pair for pair in alike if pair[1].split != pair[2].split]
    within = [pair for pair in alike if pair[1].split == pair[2].split]
    yield _verdict("No image in two splits", modality, across)
    yield _verdict("Nobody tested twice", modality, within)
    _view.cache_clear()


def _verdict(check: str, modality: str, pairs: list[tuple[float, Image, Image]]) -> Finding:
    pairs = sorted(pairs, key=lambda pair: -pair[0])
    found = [pair for pair in pairs if pair[0] >= duplicates.ALIKE]
    if not found:
        highest = f"the most alike are {_pair(*pairs[0])}" if pairs else f"no two above {duplicates.FIRST_LOOK}"
        return Finding(check, modality, highest)
    lines = [_pair(*pair) for pair in found]
    return Finding(check, modality, "; ".join([*lines[:SHOWN], *rest(lines)]), _affected(found, modality))


def _affected(pairs: list[tuple[float, Image, Image]], modality: str) -> str:
    """Return which numbers rest on images that were seen before, or twice."""
    images = [image for _, *pair in pairs for image in pair]
    tested = sorted({image.cohort for image in images if image.split == "test"})
    # of pairs without a test image
    chosen = {image.cohort for _, *pair in pairs for image in pair if all(i.split != "test" for i in pair)}
    parts = [f"every number on {', '.join(tested)} ({modality})"] if tested else []
    if chosen:
        parts.append(f"thresholds and checkpoints that were chosen on {', '.join(sorted(chosen))} ({modality})")
    return "; ".join(parts)


def _pair(likeness: float, one: Image, other: Image) -> str:
    first, second = (f"{image.name} ({image.cohort} {image.split})" for image in (one, other))
    return f"{first} and {second}, r = {likeness:.2f}"


@lru_cache(maxsize=KEPT)
def _view(path: Path, index: int, grid: tuple[Shape3, bytes]) -> duplicates.View:
    """Return a volume on a grid, (S, H, W) and its affine; it is resampled if it lies on another."""
    shape, affine = grid[0], np.frombuffer(grid[1]).reshape(4, 4)
    with Pack(path) as pack:
        image, brain = seen(pack.image(index)), pack.brain(index)
        if pack.shape != shape or not np.allclose(pack.affine, affine):
            # indices (I, J, K) of the grid to those of the pack, in the order of the axes (S, H, W)
            matrix = np.linalg.inv(pack.affine) @ affine
            linear, start = matrix[:3, :3][::-1, ::-1], matrix[:3, 3][::-1]
            image = ndimage.affine_transform(image, linear, start, output_shape=shape, order=1)
            brain = ndimage.affine_transform(brain.astype(np.float32), linear, start, output_shape=shape, order=1) > 0.5
            image = np.where(brain, image, 0)
        return duplicates.view(image, brain, float(np.linalg.norm(affine[:3, 2])))


def rest(words: Sequence[str]) -> list[str]:
    """Return what follows the first `SHOWN`: how many more there are, or nothing."""
    return [f"and {len(words) - SHOWN} more"] if len(words) > SHOWN else []
