"""The files of studies/, whole and small, with folders in place of the data that they name."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import yaml

from madad.configuration import cohort_cards
from madad.configuration.schema import Options

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "studies"
# Every study with the files it is made of, in their order.
STUDIES = {
    name: files
    for path in sorted(FOLDER.glob("*.yaml"))
    for name, files in (
        (path.stem, [path]),
        (f"{path.stem}, small", [path, FOLDER / "small" / path.name]),
    )
} | {
    "soop, every method": [FOLDER / "soop.yaml", FOLDER / "small" / "soop_every_method.yaml"],
    "ixi, long trainings": [FOLDER / "ixi.yaml", FOLDER / "small" / "ixi_zoo.yaml"],
}


def placeholder(root: Path, kind: str) -> Path:
    """Return a folder with the name of one image of the first edition of a kind, which shows what the folder holds."""
    file = root / cohort_cards.card(kind).get("editions", [{"example": "sub-01/anat/sub-01_T1w.nii.gz"}])[0]["example"]
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    return root


def places(files: list[Path], folder: Path) -> Options:
    """Return options with files and folders for every path that a study names, to be laid over it."""
    found: Options = {}
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        options = yaml.safe_load(file.read_text())
        for name, cohort in options.get("cohorts", {}).items():
            if cohort.get("root"):
                found.setdefault("cohorts", {})[name] = {"root": str(placeholder(folder / name, cohort["kind"]))}
        for name, pipeline in options.get("pipelines", {}).items():
            if Path(pipeline.get("template", "icbm152")).is_absolute():
                image = nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), np.eye(4))
                nib.save(image, folder / "template.nii")
                found.setdefault("pipelines", {})[name] = {"template": str(folder / "template.nii")}
            else:
                found.get("pipelines", {}).pop(name, None)
        if "lesion_masks" in options.get("anomalies", {}):
            found["anomalies"] = {"lesion_masks": str(folder) if options["anomalies"]["lesion_masks"] else None}
    return found
