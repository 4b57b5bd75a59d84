"""The cohort `bids`: any BIDS data set."""

from __future__ import annotations

from pathlib import Path

from madad.data.cohorts.finding.bids_files import images_of, mask_candidates, subject_folders
from madad.data.cohorts.finding.file_layout import Image, Layout
from madad.data.cohorts.finding.participants import read_participants

BRAIN_MASKS = "derivatives/*/{subject}/**/*brain*mask.nii*"
LESION_MASKS = "derivatives/*/{subject}/**/*lesion*mask.nii*"


def find(root: Path, options: dict) -> Layout:
    """Find the images of a BIDS data set.

    Args:
        root: the data set's folder.
        options: brain_masks and lesion_masks, glob patterns below the root.

    Raises:
        UserError: no such root, or no subject in it.
    """
    folders, misnamed = subject_folders(root)
    known, conflicts = read_participants(root)

    def masks(option: str, usual: str, image: Image) -> list[Path]:
        return mask_candidates(root, options.get(option) or usual, image.subject)

    layout = Layout(
        images={folder.name: images_of(folder) for folder in folders},
        people=known,
        conflicts=conflicts,
        brain_masks=lambda image: masks("brain_masks", BRAIN_MASKS, image),
        lesion_masks=lambda image: masks("lesion_masks", LESION_MASKS, image),
    )
    for folder in misnamed:
        layout.exclude(folder.name, folder, "the folder's name is no BIDS label; use letters and digits after sub-")
    for subject in sorted(known.keys() - layout.images.keys()):
        layout.exclude(subject, root / subject, "listed in participants.tsv but there is no such folder")
    return layout
