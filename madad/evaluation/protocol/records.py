"""What is kept of a sample between the two passes over a test set, in a temporary file that every process can read."""

from __future__ import annotations

import os
import pickle
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from madad.evaluation.metrics.ordinal_scores import ZERO


@dataclass
class Record:
    """One sample in the box around its brain and its lesions.

    Attributes:
        shape: (S, H, W) of the whole image.
        brain: (s, h, w) bool, the voxels that have a score.
        lesion: (s, h, w) bool; may reach out of the brain.
        ordinals: (s, h, w) uint16, post-processed scores, those of 0 far from the brain.
        steps: by their names what single steps of the published post-processing leave: (s, h, w) bool, voxels with a score, and
            (V,) uint16, their ordinals.
        published: as `ordinals`, after the post-processing of the method's paper; None when there is none.
        contrasts: of every lesion, see `madad.evaluation.protocol.single_lesions`; of test samples alone.
        slices: (s,) bool by the names of protocols that score these slices alone.
    """

    shape: tuple[int, int, int]
    brain: np.ndarray
    lesion: np.ndarray
    ordinals: np.ndarray
    steps: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    published: np.ndarray | None = None
    contrasts: tuple[float, ...] = ()
    slices: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def reference(self) -> np.ndarray:
        """(s, h, w) bool, lesions inside the brain."""
        return self.lesion & self.brain

    @cached_property
    def inside(self) -> np.ndarray:
        """(s, h, w) uint16, ordinals of the brain; 0, which is above no threshold, elsewhere."""
        return np.where(self.brain, self.ordinals, np.uint16(0))

    @cached_property
    def voxels(self) -> int:
        """Voxels of the brain."""
        return int(np.count_nonzero(self.brain))

    def above(self, threshold: int) -> np.ndarray:
        """Return the voxels of the brain above an ordinal, (s, h, w) bool; −1 takes them all."""
        return self.brain.copy() if threshold < 0 else self.inside > threshold

    def to_bytes(self) -> bytes:
        """Return the record as bytes, a sixth of its arrays."""
        kept = self.brain | (self.ordinals != ZERO)
        masks = [np.packbits(mask) for mask in (self.brain, self.lesion, kept)]
        steps = {name: (np.packbits(inside), ordinals) for name, (inside, ordinals) in self.steps.items()}
        others = (steps, self.published, self.contrasts, self.slices)
        return pickle.dumps((self.shape, self.brain.shape, masks, self.ordinals[kept], *others), protocol=5)

    @classmethod
    def from_bytes(cls, record: bytes) -> Self:
        """Return the record that `to_bytes` has written."""
        whole, shape, masks, values, steps, published, contrasts, slices = pickle.loads(record)

        def unpacked(mask: np.ndarray) -> np.ndarray:
            return np.unpackbits(mask, count=int(np.prod(shape))).astype(bool).reshape(shape)

        brain, lesion, kept = map(unpacked, masks)
        steps = {name: (unpacked(inside), ordinals) for name, (inside, ordinals) in steps.items()}
        ordinals = np.full(shape, ZERO, dtype=np.uint16)
        ordinals[kept] = values
        return cls(whole, brain, lesion, ordinals, steps, published, contrasts, slices)


class Location(NamedTuple):
    """Where a record lies: the number of the open file, and the bytes in it."""

    descriptor: int
    offset: int
    size: int


class Scratch:
    """A growing temporary file; use it in a `with` block. It has no name and vanishes with the process."""

    def __init__(self, folder: str | Path) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._stream = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115, closed by __exit__
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def append(self, record: bytes) -> Location:
        """Store a record. Returns where to read it, here or in a process forked from this one."""
        location = Location(self._stream.fileno(), self._end, len(record))
        while self._end < location.offset + location.size:
            self._end += os.pwrite(location.descriptor, record[self._end - location.offset :], self._end)
        return location


def read(location: Location) -> Record:
    """Read a record of a `Scratch` that is still open."""
    parts, at, end = [], location.offset, location.offset + location.size
    while at < end:
        parts.append(os.pread(location.descriptor, end - at, at))
        at += len(parts[-1])
    return Record.from_bytes(b"".join(parts))
