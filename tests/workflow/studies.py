"""Large studies that are only planned: a BIDS folder of tiny images, and a configuration with many methods and seeds."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import yaml

from tests.workflow.conftest import Project


def make_bids(root: Path, subjects: int) -> Path:
    """A valid BIDS folder; every fifth subject is a patient. All images are links to one."""
    root.mkdir(parents=True)
    one = root / "one.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.float32), np.eye(4)), one)
    lines = ["participant_id\tgroup"]
    for number in range(subjects):
        name = f"sub-{number:04d}"
        folder = root / name / "anat"
        folder.mkdir(parents=True)
        (folder / f"{name}_FLAIR.nii.gz").hardlink_to(one)
        lines.append(f"{name}\t{'healthy' if number % 5 else 'patient'}")
    (root / "participants.tsv").write_text("\n".join(lines) + "\n")
    one.unlink()
    return root


def write_study(project: Project, root: Path, methods: int, seeds: int, testsets: int = 1) -> str:
    """Write a configuration of so many trained methods into a project. Returns the file's name."""
    names = [f"ddpm_{number}" for number in range(methods)]
    study = {
        "cohorts": {"study": {"kind": "bids", "root": str(root)}},
        "train_on": ["study"],
        "test_on": ["study", "study-implanted"][:testsets],
        "methods": names,
        "method_options": {
            name: {"base": "ddpm", "parameters": {"noise_scale": 1 + number / 100}} for number, name in enumerate(names)
        },
        "seeds": list(range(seeds)),
    }
    (project.folder / "study.yaml").write_text(yaml.safe_dump(study))
    return "study.yaml"
