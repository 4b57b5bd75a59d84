"""The cohort `mslub`: multiple sclerosis, with lesion masks by consensus of three raters (Lesjak et al. 2017, Ljubljana)."""

from __future__ import annotations

import re
from pathlib import Path

from madad.configuration import cohort_names
from madad.core.errors import UserError
from madad.data.cohorts.finding.file_layout import Image, Layout, absent, collect, facts, files

MASK = re.compile(r"(.*/)?patient(?P<number>\d+)/(.*/)?(patient\d+_)?(?P<what>brainmask|consensus_gt)\.nii(\.gz)?", re.IGNORECASE)


def find(root: Path, options: dict) -> Layout:
    """Find the images of one variant of MSLUB.

    Args:
        root: the data set's folder.
        options: variant, "preprocessed", or "raw" for the images as scanned, in folders called raw.

    Raises:
        UserError: no such root, no image of the variant below it, or a patient in several folders.
    """
    variant = options.get("variant") or "preprocessed"
    images, masks = [], {}
    for path in files(root, "*.nii", "*.nii.gz"):
        name = cohort_names.understood("mslub", root, path, variant)
        mask = MASK.fullmatch(f"{root.name}/{path.relative_to(root).as_posix()}")
        if name:
            images.append(Image(f"sub-{name.parts['number']}", "", name.sequence, path))
        elif mask:
            masks.setdefault((f"sub-{mask['number']}", mask["what"].lower()), []).append(path)
    if not images:
        raise absent("mslub", root, f"images of the variant {variant} named like {cohort_names.example('mslub')}")
    found = collect(images)
    _check_one_folder(root, found)
    return Layout(
        images=found,
        people=dict.fromkeys(found, facts(group="patient", lesion_kind="ms")),
        brain_masks=lambda image: _nearest(masks.get((image.subject, "brainmask"), []), image),
        lesion_masks=lambda image: _nearest(masks.get((image.subject, "consensus_gt"), []), image),
        masks_trusted=True,
    )


def _nearest(masks: list[Path], image: Image) -> list[Path]:
    """Return the masks in the image's own folder, else those in the folders above it."""
    beside = [path for path in masks if path.parent == image.path.parent]
    return beside or [path for path in masks if path.parent in image.path.parents]


def _check_one_folder(root: Path, found: dict[str, list[Image]]) -> None:
    for subject, images in found.items():
        folders = sorted({str(image.path.parent) for image in images})
        if len(folders) > 1:
            raise UserError(
                f"root: {root} contains {subject} in {' and in '.join(folders)}; set it to the folder above one of them"
            )
