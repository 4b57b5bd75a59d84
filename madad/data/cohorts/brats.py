"""The cohort `brats`: gliomas of the BraTS challenge of 2021, and of earlier years with the same file names."""

from __future__ import annotations

import re
from pathlib import Path

from madad.data.cohorts.finding.file_layout import Image, Layout, absent, collect, facts, files, modality_of

IMAGE = re.compile(r"(?P<case>BraTS\w*\d+)_(?P<sequence>flair|t1|t1ce|t2)\.nii(\.gz)?", re.IGNORECASE)
MODALITIES = {"flair": "FLAIR", "t1": "T1w", "t1ce": "T1ce", "t2": "T2w"}


def find(root: Path, options: dict) -> Layout:
    """Find the images of BraTS; the lesion mask is the file `<case>_seg.nii.gz` beside them, with every label above 0.

    Raises:
        UserError: no such root, or no image of BraTS below it.
    """
    images = []
    for path in files(root, "BraTS*.nii", "BraTS*.nii.gz"):
        match = IMAGE.fullmatch(path.name)
        if match:
            subject = "sub-" + re.sub(r"[^A-Za-z0-9]", "", match["case"])
            images.append(Image(subject, "", modality_of(MODALITIES, match["sequence"]), path))
    if not images:
        raise absent("brats", root, "images named like BraTS2021_00000_flair.nii.gz")
    found = collect(images)
    people = dict.fromkeys(found, facts(group="patient", lesion_kind="tumour"))
    return Layout(images=found, people=people, lesion_masks=_masks, lesions_known=True)


def _masks(image: Image) -> list[Path]:
    case, _, _ = image.path.name.rpartition("_")
    return sorted(path for ending in ("nii", "nii.gz") for path in image.path.parent.glob(f"{case}_seg.{ending}"))
