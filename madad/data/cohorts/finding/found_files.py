"""The files of a data set that decide what its manifest says, without opening an image: what a change of the folder means."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from madad.core.errors import UserError
from madad.data.cohorts.finding.file_layout import Image, Layout

# What the finder tells a person and no row of the manifest.
REMARKS = ("excluded", "others", "notes")


@dataclass(frozen=True)
class Found:
    """What a finder sees in a folder.

    Attributes:
        files: images of the sequences, and all files that may be their masks, sorted.
        facts: everything else that decides the rows of the manifest, serialisable as JSON.
    """

    files: list[str]
    facts: Any


def found(kind: str, root: Path, options: dict, modalities: Sequence[str]) -> Found:
    """Return what decides the rows of a manifest; files that no row can name are left out.

    Args:
        kind: of the cohort, a module of `madad.data.cohorts`.
        root: the data set's folder.
        options: as for the finder of that kind.
        modalities: sequences that are listed.

    Returns:
        Where the folder cannot be read, no files and the reason: the job that lists the cohort reports it.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # that job gives the finder's warnings as well
            layout = import_module(f"madad.data.cohorts.{kind}").find(root, options)
            images = [image for of in layout.images.values() for image in of if image.modality in modalities]
            masks = {str(path) for image in images for path in (*layout.lesion_masks(image), *layout.brain_masks(image))}
    except UserError as error:
        return Found([], str(error))
    listed = [[image.subject, image.session, image.modality, str(image.path), image.frame] for image in images]
    return Found(sorted({str(image.path) for image in images} | masks), [listed, _known(layout, images)])


def _known(layout: Layout, images: Sequence[Image]) -> list[list[str]]:
    """Return the fields of a layout other than files and remarks, where they are about subjects for these subjects alone."""
    subjects = {image.subject for image in images}
    values = {field.name: getattr(layout, field.name) for field in fields(layout) if field.name not in ("images", *REMARKS)}
    plain = {name: value for name, value in values.items() if not callable(value)}
    return [[name, repr(sorted((k, v) for k, v in value.items() if k in subjects) if isinstance(value, dict) else value)]
            for name, value in sorted(plain.items())]  # fmt: skip
