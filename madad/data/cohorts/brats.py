"""The cohort `brats`: tumours of the BraTS challenges, whose file names changed over the years."""

from __future__ import annotations

import re
from pathlib import Path

from madad.configuration import cohort_names
from madad.core.errors import UserError
from madad.data.cohorts.finding.file_layout import Image, Layout, absent, collect, facts, files

# One mask of 2020, of BraTS20_Training_355, has a name of its own.
MASKS = ("{case}{sign}seg.nii", "{case}{sign}seg.nii.gz", "*_Segm.nii", "*_Segm.nii.gz")


def find(root: Path, options: dict) -> Layout:
    """Find the images of one edition of BraTS; the lesion mask is the file `…seg.nii.gz` beside them, with every label above 0.

    The time points of a patient, in the names since 2023, are sessions.

    Raises:
        UserError: no such root, no image of BraTS below it, names of no known edition, or of several.
    """
    layout = Layout(images={})
    images = []
    paths = files(root, "*.nii", "*.nii.gz")
    for fault in cohort_names.faults("brats", [cohort_names.named(root, path) for path in paths]):
        raise UserError(f"root: {root} {fault}")
    for path in paths:
        name = cohort_names.understood("brats", root, path)
        if name:
            time = name.parts.get("time")
            subject = "sub-" + re.sub(r"[^A-Za-z0-9]", "", str(name.parts["case"]))
            images.append(Image(subject, f"ses-{time}" if time else "", name.sequence, path))
        elif re.match("brats", path.name, re.IGNORECASE) and not _is_mask(path):
            layout.exclude(path.name, path, "neither a sequence nor the labels of the challenge; it is passed over")
    if not images:
        raise absent("brats", root, f"images named like {cohort_names.example('brats')}")
    layout.images = collect(images)
    layout.people = dict.fromkeys(layout.images, facts(group="patient", lesion_kind="tumour"))
    layout.lesion_masks, layout.masks_trusted = _masks, True
    return layout


def _is_mask(path: Path) -> bool:
    return bool(re.search(r"[-_]seg\.nii(\.gz)?$", path.name, re.IGNORECASE))


def _masks(image: Image) -> list[Path]:
    stem = re.sub(r"\.nii(\.gz)?$", "", image.path.name)
    sign = "-" if stem.rfind("-") > stem.rfind("_") else "_"
    case = stem.rpartition(sign)[0]
    found = [sorted(image.path.parent.glob(mask.format(case=case, sign=sign))) for mask in MASKS]
    return next((paths for paths in found if paths), [])
