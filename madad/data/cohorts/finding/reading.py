"""What is found while a cohort is read: rows of the manifest, and everything that is not used, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from madad.core.io.file_types import voxel_file
from madad.core.io.manifest import Row
from madad.core.provenance import file_hash
from madad.data.cohorts.finding.file_layout import Image
from madad.data.cohorts.finding.mask_files import shows_something

# How closely files are looked at, see `manifest_rows.read`.
Depth = Literal["names", "files", "all"]


@dataclass
class Reading:
    """Everything found in a cohort.

    Attributes:
        depth: how closely files are looked at.
        rows: rows of the manifest.
        excluded: subject, path and reason of subjects, sessions and sequences that do not take part.
        passed: subject, path and reason of files that are not used though they lie there.
        notes: sentences that a person should read.
        seen: images by size of their files, to find identical ones.
        hashes: hashes of the files that had to be read for that.
        marked: whether a mask marks anything, by its path and the labels that count.
    """

    depth: Depth = "all"
    rows: list[Row] = field(default_factory=list)
    excluded: list[Row] = field(default_factory=list)
    passed: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: dict[int, list[Image]] = field(default_factory=dict)
    hashes: dict[Path, str] = field(default_factory=dict)
    marked: dict[tuple[Path, str], bool] = field(default_factory=dict)

    @staticmethod
    def row(subject: str, path: Path | str, reason: str) -> Row:
        """Return a row of a table of reasons."""
        return {"subject": subject, "path": str(path), "reason": reason}

    def exclude(self, subject: str, path: Path | str, reason: str) -> None:
        """Record something that does not take part."""
        self.excluded.append(self.row(subject, path, reason))

    def shows(self, mask: Path, labels: str = "") -> bool:
        """Return whether a mask marks anything; each is read once, and none if only names are looked at.

        Args:
            mask: the file.
            labels: those that count, with spaces between; empty for all above 0.
        """
        if (mask, labels) not in self.marked:
            self.marked[mask, labels] = self.depth == "names" or shows_something(mask, labels)
        return self.marked[mask, labels]

    def twin(self, image: Image) -> Image | None:
        """Return an image of another subject with the same bytes, if any. Only files of equal size are read."""
        if self.depth != "all":
            return None
        for other in self.seen.get(_size(image), []):
            if other.subject != image.subject and self._hash(other.path) == self._hash(image.path):
                return other
        return None

    def remember(self, images: Iterable[Image]) -> None:
        """Record images that later ones are compared with."""
        for image in images if self.depth == "all" else ():
            self.seen.setdefault(_size(image), []).append(image)

    def _hash(self, path: Path) -> str:
        """Return the hash of a file's bytes; each file is read once, as all uncompressed images of a data set have one size."""
        if path not in self.hashes:
            self.hashes[path] = file_hash(voxel_file(path))
        return self.hashes[path]


def _size(image: Image) -> int:
    return voxel_file(image.path).stat().st_size
