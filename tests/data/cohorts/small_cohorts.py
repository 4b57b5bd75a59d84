"""Small BIDS data sets made of noise, and the options tests read and build cohorts with."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from madad.data.cohorts import bids
from madad.data.cohorts.finding.manifest_rows import read

PHANTOM = {"healthy": 1, "patients": 4, "seed": 3, "spacing_mm": 5.0, "modalities": ["T1w", "FLAIR"]}
READ = {
    "group": "auto",
    "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
    "patient_split": {"validation": 0.5, "test": 0.5},
    "split_seed": 0,
    "limit": None,
}


def write_image(path: Path, seed: int, shape: tuple[int, ...] = (6, 7, 8), affine: np.ndarray | None = None) -> Path:
    """Write a NIfTI file of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).integers(1, 1000, shape).astype(np.int16)
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


def t1w(*labels: str) -> list[str]:
    """File names of one T1w image a subject."""
    return [f"sub-{label}/anat/sub-{label}_T1w.nii.gz" for label in labels]


def read_bids(root: Path, options: dict, modalities: list[str]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Rows and excluded rows of a BIDS data set."""
    reading = read(bids.find, root, options, modalities)
    return reading.rows, reading.excluded
