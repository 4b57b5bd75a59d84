"""The cohort `wmh`: white matter hyperintensities (MICCAI challenge of 2017)."""

from __future__ import annotations

import re
from pathlib import Path

from madad.configuration import cohort_names
from madad.data.cohorts.finding.file_layout import Image, Layout, absent, collect, facts, files

PARTS = ("training", "test")


def find(root: Path, options: dict) -> Layout:
    """Find the images of one variant of the WMH challenge; site and scanner are the folders above that of a person.

    Args:
        root: the data set's folder.
        options: variant, "preprocessed" (folders `pre`) or "raw" (`orig`). The T1w image is the one that is aligned with FLAIR.

    Raises:
        UserError: no such root, or no image of the variant below it.
    """
    variant = options.get("variant") or "preprocessed"
    images, sites = [], {}
    for path in files(root, "*.nii", "*.nii.gz"):
        name, person = cohort_names.understood("wmh", root, path, variant), path.parent.parent
        if name:
            site = _site(root, person)
            subject = "sub-" + re.sub(r"[^A-Za-z0-9]", "", f"{site}{person.name}")
            images.append(Image(subject, "", name.sequence, path))
            sites[subject] = site
    if not images:
        raise absent("wmh", root, f"images of the variant {variant} named like {cohort_names.example('wmh')}")
    return Layout(
        images=collect(images),
        people={subject: facts(site=site, group="patient", lesion_kind="wmh") for subject, site in sites.items()},
        lesion_masks=lambda image: sorted(image.path.parent.parent.glob("wmh.nii*")),
        masks_trusted=True,
    )


def _site(root: Path, person: Path) -> str:
    """Return the folders between training or test and the person; if the root is that of one site, its name."""
    above = list(person.relative_to(root).parts[:-1]) or [root.name]
    parts = [position for position, name in enumerate(above) if name.lower() in PARTS]
    return " ".join(above[parts[-1] + 1 :] if parts else above)
