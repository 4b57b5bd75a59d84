"""Names of the files that preprocessing writes (BIDS derivatives)."""

from __future__ import annotations

from pathlib import Path

from madad.core.io.manifest import Row, image_name


def derivatives(folder: Path, row: Row, space: str = "MNI152") -> dict[str, Path]:
    """Return the files of one image below `folder`, one folder per subject and session.

    Args:
        folder: folder of the cohort.
        row: row of the manifest.
        space: label of the template, from `madad.data.template.space`.

    Returns:
        image, brain, lesion, picture, transform and record, such as
        `sub-01/sub-01_space-MNI152_desc-brain_T1w.nii.gz`.
    """
    name, modality = image_name(row), row["modality"]
    stem = f"{name}_space-{space}"
    files = {
        "image": f"{stem}_desc-brain_{modality}.nii.gz",
        "brain": f"{stem}_desc-brain{modality}_mask.nii.gz",
        "lesion": f"{stem}_desc-lesion{modality}_mask.nii.gz",
        "picture": f"{name}_desc-quality_{modality}.png",
        "transform": f"{name}_from-{modality}_to-{space}_mode-image_xfm.txt",
        "record": f"{stem}_desc-brain_{modality}.json",
    }
    return {key: folder / name / file for key, file in files.items()}
