"""Skull-stripping strategies with one interface: from a head to a brain mask on one of its grids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from madad.core.errors import SubjectError
from madad.core.io.volumes import Volume
from madad.data.preprocessing.skull_stripping import brain_mask, external_tools
from madad.data.preprocessing.steps.session_images import Head


@dataclass(frozen=True)
class Found:
    """Result of skull stripping.

    Attributes:
        mask: brain mask, uint8, on the grid where it was found: the working grid for computed masks, the file's grid for
            masks from a file or a program.
        start: first guess of the matrix from ICBM152 to image points (4, 4), or None.
    """

    mask: Volume
    start: np.ndarray | None = None


Stripper = Callable[[Head, str | None], Found]


def strip(head: Head, options: dict) -> Found:
    """Find the brain of a head.

    Args:
        head: the image and its masks.
        options: skull_strip, one of `STRIPPERS`, and skull_strip_command, the command of an external program or None.

    Raises:
        SubjectError: no brain was found, or the mask cannot be a brain.
    """
    found = STRIPPERS[options["skull_strip"]](head, options.get("skull_strip_command"))
    brain_mask.check_volume(found.mask.array > 0, found.mask)
    return found


def check_ready(options: dict) -> None:
    """Check before the first image that the chosen strategy can be used.

    Raises:
        UserError: an external program is missing.
    """
    if options["skull_strip"] in external_tools.PROGRAMS:
        external_tools.check_ready(options["skull_strip"], options.get("skull_strip_command"))


def _by_template(way: str, head: Head, _: str | None) -> Found:
    brain, start = brain_mask.strip(head.flat, way)
    return Found(head.flat.with_array(brain.astype(np.uint8)), start)


def _by_program(name: str, head: Head, command: str | None) -> Found:
    return Found(external_tools.find_brain(name, head.image, command))


def _given(head: Head, _: str | None) -> Found:
    if head.given is None:
        raise SubjectError(
            f"{head.row['path']}: skull_strip is given, but the image has no brain mask; add one or set skull_strip to template"
        )
    return Found(head.given)


def _stripped_already(head: Head, _: str | None) -> Found:
    return Found(head.image.with_array(brain_mask.nonzero(head.image).astype(np.uint8)))


STRIPPERS: dict[str, Stripper] = {
    **{way: partial(_by_template, way) for way in brain_mask.WAYS},
    **{name: partial(_by_program, name) for name in external_tools.PROGRAMS},
    "given": _given,
    "none": _stripped_already,
}
