"""The cohort `mslub`: multiple sclerosis, with lesion masks by consensus of three raters (Lesjak et al. 2017, Ljubljana)."""

from __future__ import annotations

import re
from pathlib import Path

from madad.core.errors import UserError
from madad.data.cohorts.finding.file_layout import Image, Layout, absent, collect, facts, files, modality_of

FOLDER = re.compile(r"patient(?P<number>\d+)", re.IGNORECASE)
FILE = re.compile(r"(patient\d+_)?(?P<what>FLAIR|T1W|T1WKS|T2W|brainmask|consensus_gt)\.nii(\.gz)?", re.IGNORECASE)
MODALITIES = {"flair": "FLAIR", "t1w": "T1w", "t1wks": "T1ce", "t2w": "T2w"}
RAW = "raw"


def find(root: Path, options: dict) -> Layout:
    """Find the images of one variant of MSLUB.

    Args:
        root: the data set's folder.
        options: variant, "preprocessed", or "raw" for the images as scanned, in folders called raw.

    Raises:
        UserError: no such root, no image of the variant below it, or a patient in several folders.
    """
    raw = options.get("variant") == RAW
    images, masks = [], {}
    for path in files(root, "*.nii", "*.nii.gz"):
        parts, name = path.relative_to(root).parts[:-1], FILE.fullmatch(path.name)
        folder = next((match for part in reversed([root.name, *parts]) if (match := FOLDER.fullmatch(part))), None)
        if not name or not folder:
            continue
        subject, what = f"sub-{folder['number']}", name["what"].lower()
        if what not in MODALITIES:
            masks.setdefault((subject, what), []).append(path)
        elif (RAW in (root.name, *parts)) == raw:
            images.append(Image(subject, "", modality_of(MODALITIES, what), path))
    if not images:
        raise absent("mslub", root, f"images named like patient01_FLAIR.nii.gz of the variant {options.get('variant')}")
    found = collect(images)
    _check_one_folder(root, found)
    return Layout(
        images=found,
        people=dict.fromkeys(found, facts(group="patient", lesion_kind="ms")),
        brain_masks=lambda image: _nearest(masks.get((image.subject, "brainmask"), []), image),
        lesion_masks=lambda image: _nearest(masks.get((image.subject, "consensus_gt"), []), image),
        lesions_known=True,
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
