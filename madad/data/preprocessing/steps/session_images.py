"""The images of one session with their masks, read and checked."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from madad.core.errors import SubjectError
from madad.core.io.manifest import Row
from madad.core.io.volumes import Volume, check_header, grid_difference, load_image, load_mask
from madad.data import background
from madad.data.preprocessing.steps import bias_field, orientation, own_space

# Bias field, brain mask and registration are computed on a grid no finer than this; results are interpolated from the file.
WORKING_GRID_MM = 2.0
MASKS = ("lesion_mask", "brain_mask")


@dataclass(frozen=True)
class Head:
    """One image and its masks, on one grid, RAS+.

    Attributes:
        row: row of the manifest.
        image: intensities of the file, (I, J, K) float32, raised where they are below 0 (`background.from_zero`).
        lesion: uint8 lesion mask or None.
        given: uint8 brain mask or None.
        notes: problems that do not make the image unusable.
    """

    row: Row
    image: Volume
    lesion: Volume | None
    given: Volume | None
    notes: list[str] = field(default_factory=list)

    @cached_property
    def working(self) -> Volume:
        """The image on an isotropic, coarse grid."""
        return orientation.isotropic(self.image, max(WORKING_GRID_MM, min(self.image.spacing_mm)))

    @cached_property
    def flat(self) -> Volume:
        """`working` without the bias field of the whole head, only for searches, even if the result keeps its bias field."""
        return self.working.with_array(self.working.array / bias_field.estimate(self.working, shrink=3).array)


def load(row: Row, options: dict) -> Head:
    """Read and check the files of a row.

    Raises:
        SubjectError: the image or a required mask cannot be used.
    """
    frame = int(row["frame"]) if row.get("frame") else None
    image = load_image(row["path"], frame)
    ras = orientation.to_ras(image)
    own_space.check_slice(ras, row["path"], options)
    orientation.check_extent(image, row["path"], 0 if own_space.is_kept(options) else orientation.SMALLEST_EXTENT_MM)
    labels = [int(label) for label in row.get("lesion_labels", "").split()]
    lesion = load_mask(row["lesion_mask"], image, "lesion mask", labels) if row["lesion_mask"] else None
    given, notes = None, []
    if row["brain_mask"]:
        try:
            given = load_mask(row["brain_mask"], image, "brain mask")
        except SubjectError as error:
            if options["skull_strip"] == "given":
                raise
            notes.append(f"not compared: {error}")
    masks = [None if mask is None else orientation.to_ras(mask) for mask in (lesion, given)]
    return Head(row, background.from_zero(ras), masks[0], masks[1], notes)


def with_own_masks(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of one session, each with the masks on its own grid.

    A data set with one mask per subject names it for every sequence. If a mask is not on the grid of its image but on that of
    another sequence, it is assigned to that one unless it has its own; any other mask is kept, and refused later by name.
    """
    rows = [dict(row) for row in rows]
    for row, key in itertools.product(rows, MASKS):
        if row[key] and not _on_grid(row, row[key]):
            owner = next((other for other in rows if other[key] in ("", row[key]) and _on_grid(other, row[key])), None)
            if owner is not None:
                _reassign(row, owner, key)
    return rows


def _reassign(row: Row, owner: Row, key: str) -> None:
    owner[key], row[key] = row[key], ""
    if key == "lesion_mask":
        owner["lesion_labels"] = row.get("lesion_labels", "")


def _on_grid(row: Row, mask: str) -> bool:
    """Return whether a mask lies on the grid of a row's image, by the headers; False if one cannot be read."""
    try:
        grids = [_grid(row["path"], row.get("frame", "")), _grid(mask)]
    except SubjectError:
        return False
    return grid_difference(*grids) is None


def _grid(path: str, frame: str = "") -> Volume:
    header = check_header(path, int(frame) if frame else None)
    return Volume(np.broadcast_to(np.uint8(0), header.shape[:3]), np.asarray(header.affine, dtype=float))
