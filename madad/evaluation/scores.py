"""Anomaly scores as integers in the same order, so that counting replaces sorting and nothing is rounded.

Maps are stored as float16, which has 65,536 patterns. Each becomes an ordinal 0 … 65,535 that grows with the score; the
counts of lesion and healthy voxels per ordinal then give every ranking metric exactly, for one subject or for thousands.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from madad.evaluation.long_table import Who
from madad.stores import Pack

BINS = 1 << 16
ZERO = 1 << 15  # the ordinal of the score 0, which is that of the background
_SIGN = np.uint16(1 << 15)


def to_ordinals(scores: np.ndarray) -> np.ndarray:
    """Ordinals (uint16) of finite scores of any shape; −0 and +0 are one score."""
    bits = (scores.astype(np.float16) + np.float16(0)).view(np.uint16)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def to_scores(ordinals: np.ndarray) -> np.ndarray:
    """Scores (float32) of ordinals of any shape."""
    bits = np.where(ordinals & _SIGN, ordinals ^ _SIGN, ~ordinals)
    return bits.view(np.float16).astype(np.float32)


def to_score(ordinal: int) -> float:
    """Score of one ordinal; −1, below every score, gives −inf."""
    return -np.inf if ordinal < 0 else float(to_scores(np.array([ordinal], dtype=np.uint16))[0])


def ordinal_at(score: float) -> int:
    """Highest ordinal whose score is not above a number, so that "ordinal > it" means "score > number"."""
    nearest = int(to_ordinals(np.array([score]))[0])
    return nearest - (to_score(nearest) > score)


def count(ordinals: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Voxels per ordinal, shape (2, BINS) int64: row 0 healthy tissue, row 1 lesion.

    Args:
        ordinals: (V,) uint16, one a voxel.
        reference: (V,) bool, True inside a lesion.
    """
    return np.stack([np.bincount(ordinals[~reference], minlength=BINS), np.bincount(ordinals[reference], minlength=BINS)])


def no_counts() -> np.ndarray:
    """Counts of nobody, to add to."""
    return np.zeros((2, BINS), dtype=np.int64)


def coarse_groups(counts: np.ndarray, groups: int) -> np.ndarray:
    """First ordinals of about `groups` runs of ordinals that hold equally many lesion voxels, for bootstrapping."""
    lesion = np.cumsum(counts[1])
    wanted = np.linspace(0, lesion[-1], groups + 1)[:-1]
    return np.unique(np.append(0, np.searchsorted(lesion, wanted, side="right")))


@dataclass(frozen=True)
class Scored:
    """One subject after the first pass.

    Attributes:
        who: whose it is.
        pack, index: where its truth lies.
        place: its number in the score store.
        has_lesion: whether its reference mask holds a voxel of the brain.
    """

    who: Who
    pack: Pack
    index: int
    place: int
    has_lesion: bool


class ScoreStore:
    """The scores and references of many subjects in a temporary file, to be read again one subject at a time.

    Use it in a `with` block; the file has no name and vanishes with the process.
    """

    def __init__(self, folder: str | Path) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._stream = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, closed by __exit__
        self._places: list[tuple[int, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def append(self, ordinals: np.ndarray, reference: np.ndarray) -> int:
        """Store one subject's voxels, of any shape. Returns the number to read them by."""
        self._stream.seek(0, 2)
        self._places.append((self._stream.tell(), ordinals.size))
        self._stream.write(ordinals.tobytes() + np.packbits(reference).tobytes())
        return len(self._places) - 1

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Ordinals (V,) uint16 and reference (V,) bool of one subject, flat."""
        offset, size = self._places[number]
        self._stream.seek(offset)
        ordinals = np.frombuffer(self._stream.read(2 * size), dtype=np.uint16)
        packed = np.frombuffer(self._stream.read((size + 7) // 8), dtype=np.uint8)
        return ordinals, np.unpackbits(packed, count=size).astype(bool)
