"""The cohort `bids`: any BIDS data set, and derivatives laid out like one."""

from __future__ import annotations

from pathlib import Path

from madad.data.cohorts.finding.bids_files import Subject, read_tree
from madad.data.cohorts.finding.file_layout import Image, Layout
from madad.data.cohorts.finding.mask_files import session_of
from madad.data.cohorts.finding.participants import read_participants


def find(root: Path, options: dict) -> Layout:
    """Find the images of a BIDS data set.

    Args:
        root: the data set's folder.
        options: filters, brain_masks and lesion_masks, which choose files; columns and healthy_values, which explain
            participants.tsv.

    Raises:
        UserError: no such root, no subject in it, or a participants.tsv that cannot be understood.
    """
    tree = read_tree(root, options)
    table = read_participants(root, list(tree.subjects), options)
    layout = Layout(
        images={label: subject.images for label, subject in tree.subjects.items()},
        people=table.known,
        evidence=table.evidence,
        notes=table.notes,
        others={label: subject.others for label, subject in tree.subjects.items()},
        labels={label: subject.labels for label, subject in tree.subjects.items()},
        brain_masks=lambda image: tree.subjects[image.subject].brain_masks,
        lesion_masks=lambda image: _lesion_masks(tree.subjects[image.subject], image),
    )
    for folder in tree.misnamed:
        layout.exclude(folder.name, folder, "the folder's name is no BIDS label; use letters and digits after sub-")
    for path, reason in tree.strangers:
        layout.exclude(path.name.split("_")[0], path, reason)
    for subject in sorted(table.known.keys() - layout.images.keys()):
        layout.exclude(subject, root / subject, "listed in participants.tsv but there is no such folder")
    return layout


def _lesion_masks(subject: Subject, image: Image) -> list[Path]:
    """Return the lesion masks of a subject; segmentations that a table explains only where a session has no other mask."""
    masks = [path for path in subject.lesion_masks if str(path) not in subject.labels]
    of_session = [path for path in masks if session_of(str(path)) in ("", image.session)]
    return masks if of_session else subject.lesion_masks
