"""The cohort `atlas`: T1w heads after a stroke (ATLAS v2.0)."""

from __future__ import annotations

import re
from pathlib import Path

from madad.configuration import cohort_names
from madad.data.cohorts.finding.file_layout import Image, Layout, absent, collect, facts, files

MASK = re.compile(r"(?P<subject>sub-r\d+s\d+)_(?P<session>ses-[A-Za-z0-9]+)_.*?lesion_mask\.nii(\.gz)?", re.IGNORECASE)


def find(root: Path, options: dict) -> Layout:
    """Find the scans of ATLAS and their lesion masks, which lie beside them or, in another release, below derivatives.

    Raises:
        UserError: no such root, or no image of ATLAS below it.
    """
    images, masks, sites = [], {}, {}
    for path in files(root, "sub-r*.nii", "sub-r*.nii.gz"):
        name, mask = cohort_names.understood("atlas", root, path), MASK.fullmatch(path.name)
        if name:
            subject = str(name.parts["subject"])
            images.append(Image(subject, str(name.parts["session"]), name.sequence, path))
            sites[subject] = f"R{name.parts['site']}"
        elif mask:
            masks.setdefault((mask["subject"], mask["session"]), []).append(path)
    if not images:
        raise absent("atlas", root, f"images named like {cohort_names.example('atlas')}")
    found = collect(images)
    return Layout(
        images=found,
        people={subject: facts(site=sites[subject], group="patient", lesion_kind="stroke") for subject in found},
        lesion_masks=lambda image: masks.get((image.subject, image.session), []),
        masks_trusted=True,
    )
