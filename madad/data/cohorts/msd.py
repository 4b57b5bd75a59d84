"""The cohort `msd`: gliomas of the Medical Segmentation Decathlon, four sequences in one 4D file."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from madad.configuration import cohort_cards, cohort_names
from madad.core.errors import UserError
from madad.data.cohorts.finding.file_layout import Image, Layout, absent, collect, facts, files, modality_of


def find(root: Path, options: dict) -> Layout:
    """Find the images of Task01_BrainTumour; `dataset.json` names the sequence of each frame.

    Raises:
        UserError: no such root, no images in imagesTr, or a dataset.json that does not name the sequences of the frames.
    """
    images, frames_of = [], cache(_frames)
    for path in files(root, "imagesTr/*.nii", "imagesTr/*.nii.gz"):
        name = cohort_names.understood("msd", root, path)
        if name:
            subject = "sub-" + re.sub(r"[^A-Za-z0-9]", "", str(name.parts["case"]))
            frames = frames_of(path.parent.parent / "dataset.json").items()
            images += [Image(subject, "", modality, path, frame) for frame, modality in frames]
    if not images:
        raise absent("msd", root, f"images named like {cohort_names.example('msd')}")
    found = collect(images)
    people = dict.fromkeys(found, facts(group="patient", lesion_kind="tumour"))
    return Layout(images=found, people=people, lesion_masks=_masks, masks_trusted=True)


def _masks(image: Image) -> list[Path]:
    mask = image.path.parent.parent / "labelsTr" / image.path.name
    return [mask] if mask.exists() else []


def _frames(path: Path) -> dict[str, str]:
    """Return the sequence of every frame by its number as text."""
    words = cohort_cards.card("msd")["words"]
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["modality"]
        frames = {str(int(number)): modality_of(words, name) for number, name in listed.items()}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; it names the sequence of each frame, so unpack the whole archive") from None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(f"{path}: does not name the sequence of each frame ({error!r}); unpack the archive again") from None
    if "" in frames.values() or len(set(frames.values())) < len(frames):
        raise UserError(f"{path}: `modality` is {listed}; known are {', '.join(words)}, each once; correct the file")
    return frames
