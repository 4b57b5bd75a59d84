"""The cohort `atlas`: T1w heads after a stroke (ATLAS v2.0)."""

from __future__ import annotations

import re
from pathlib import Path

from madad.data.cohorts.finding.file_layout import Image, Layout, absent, collect, facts, files

FILE = re.compile(
    r"(?P<subject>sub-r(?P<site>\d+)s\d+)_(?P<session>ses-[A-Za-z0-9]+)_.*?(?P<what>T1w|lesion_mask)\.nii(\.gz)?", re.IGNORECASE
)


def find(root: Path, options: dict) -> Layout:
    """Find the scans of ATLAS and their lesion masks, which lie beside them or, in another release, below derivatives.

    Raises:
        UserError: no such root, or no image of ATLAS below it.
    """
    images, masks, sites = [], {}, {}
    for path in files(root, "sub-r*.nii", "sub-r*.nii.gz"):
        match = FILE.fullmatch(path.name)
        if (
            not match or "Testing" in path.relative_to(root).parts
        ):  # the lesion masks of the challenge's test scans are not public
            continue
        if match["what"] == "T1w":
            images.append(Image(match["subject"], match["session"], "T1w", path))
            sites[match["subject"]] = f"R{match['site']}"
        else:
            masks.setdefault((match["subject"], match["session"]), []).append(path)
    if not images:
        raise absent("atlas", root, "images named like sub-r001s001_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz")
    found = collect(images)
    return Layout(
        images=found,
        people={subject: facts(site=sites[subject], group="patient", lesion_kind="stroke") for subject in found},
        lesion_masks=lambda image: masks.get((image.subject, image.session), []),
        lesions_known=True,
    )
