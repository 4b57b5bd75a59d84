"""The choice among several images of one sequence in a session: by the names of the files alone, and never by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from madad.core.io.bids_names import BidsName, Filter, differing, index, selects
from madad.data.cohorts.finding.file_layout import Image

# Parts of a complex image that show no anatomy as methods expect it.
UNFIT_PARTS = ("phase", "imag", "real")


@dataclass
class Choice:
    """The images of one sequence in a session.

    Attributes:
        kept: images that may be used, the best first; the next one serves if that cannot be read.
        passed: path and reason of the images that are not among them.
        problem: why none is used though there are some.
    """

    kept: list[Image]
    passed: list[tuple[Path, str]] = field(default_factory=list)
    problem: str = ""

    def keep(self, names: Mapping[Path, BidsName], fits: Sequence[bool], reason: str) -> None:
        """Keep the images that fit, in order, and record the reason for the others."""
        self.passed += [(image.path, reason) for image, fit in zip(self.kept, fits, strict=True) if not fit]
        self.kept = [image for image, fit in zip(self.kept, fits, strict=True) if fit]


def choose(images: Sequence[Image], modality: str, wanted: Filter | None) -> Choice:
    """Choose among the images of one sequence in a session.

    In this order: the filter of the configuration; magnitude images, not phase, real or imaginary parts; images in the
    scanner's space, not their twins in a template's; derivatives that keep the head (desc-preproc); the first run. What is then
    still ambiguous is not used, and the problem names the filter that would settle it.

    Args:
        images: of one subject, session and sequence.
        modality: the sequence.
        wanted: filter of the sequence, if the configuration has one.
    """
    names = {image.path: image.name for image in images if image.name is not None}
    choice = Choice(sorted(images, key=lambda image: image.path))
    if len(names) < len(images):  # a layout without entities, in which names tell images apart
        return choice
    if wanted:
        choice.keep(names, [selects(wanted, names[one.path]) for one in choice.kept], f"filters: {modality} does not select it")
        if not choice.kept:
            choice.problem = f"filters: {modality}: {_written(wanted)} selects none of its {len(images)} {modality} images"
            return choice
    parts = [names[one.path].entities.get("part", "") not in UNFIT_PARTS for one in choice.kept]
    choice.keep(names, parts, "a phase, real or imaginary part shows no anatomy; the magnitude is used")
    if not choice.kept:
        choice.problem = f"its {modality} images are phase, real or imaginary parts; a magnitude image (part-mag) is needed"
        return choice
    _prefer(choice, names, "space", ("",), "the image in the scanner's space is used")
    _prefer(choice, names, "desc", ("", "preproc"), "the image that is not processed further is used")
    choice.kept.sort(key=lambda one: (index(names[one.path].entities.get("run", "")), one.path))
    apart = differing([names[one.path] for one in choice.kept])
    apart.pop("run", None)
    if apart:
        choice.problem = _ambiguous(choice.kept, modality, apart)
        choice.keep(names, [False] * len(choice.kept), "ambiguous, see the reason for the subject")
        return choice
    return choice


def _prefer(choice: Choice, names: Mapping[Path, BidsName], entity: str, order: Sequence[str], reason: str) -> None:
    """Keep the images with the first value of an entity that occurs, if any does."""
    values = [names[one.path].entities.get(entity, "") for one in choice.kept]
    best = next((value for value in order if value in values), None)
    if best is not None:
        choice.keep(names, [value == best for value in values], reason)


def _ambiguous(images: Sequence[Image], modality: str, apart: Mapping[str, Sequence[str]]) -> str:
    entity, values = next(iter(apart.items()))
    names = ", ".join(image.path.name for image in images)
    choices = " or ".join(f"`filters: {{{modality}: {{{entity}: {value or 'null'}}}}}`" for value in values)
    return f"{len(images)} {modality} images in one session ({names}); choose with {choices}"


def _written(wanted: Filter) -> str:
    return "{" + ", ".join(f"{key}: {'null' if value is None else value}" for key, value in wanted.items()) + "}"
