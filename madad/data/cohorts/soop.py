"""The embedded cohort: real axial FLAIR slices of acute stroke patients, unpacked as a BIDS data set, without any download.

`soop_slices.md` says where the slices come from, how they were made, and what must be known before numbers on them are read.
All later stages are the same as for other data.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from madad.core import provenance
from madad.core.errors import UserError
from madad.core.io.volumes import Volume, save_volume
from madad.core.logs import progress

SLICES = Path(__file__).with_name("soop_slices.npz")
PEOPLE = Path(__file__).with_name("soop_slices.tsv")
ABOUT = Path(__file__).with_name("soop_slices.md")
GENERATOR = "madad soop"
MASKS = "derivatives/lesion-masks"


def build(root: Path, options: dict | None = None, workers: int = 1) -> None:
    """Write the cohort as a BIDS data set; existing files are kept if they were written from the same slices.

    Args:
        root: folder of the data set.
        options: of the cohort; none of them changes the slices.
        workers: one process is enough.

    Raises:
        UserError: `root` contains another data set.
    """
    root = Path(root)
    description, content = root / "dataset_description.json", provenance.file_hash(SLICES)
    written = _written(description)
    if written == content:
        return
    with np.load(SLICES, allow_pickle=False) as store:
        affine, images = store["affine"], store["images"]
        lesions = np.unpackbits(store["lesions"], axis=-1, count=images.shape[-1]).astype(bool)
        subjects = store["subjects"].tolist()
    for subject, image, lesion in zip(progress(subjects, "slices"), images, lesions, strict=True):
        save_volume(root / subject / "anat" / f"{subject}_FLAIR.nii.gz", Volume(image[..., None], affine))
        if lesion.any():
            mask = Volume(lesion[..., None].astype(np.uint8), affine)
            save_volume(root / MASKS / subject / "anat" / f"{subject}_label-lesion_mask.nii.gz", mask)
    for source, name in ((PEOPLE, "participants.tsv"), (ABOUT, "README.md")):
        with provenance.complete(root / name) as unfinished:
            unfinished.write_bytes(source.read_bytes())
    provenance.write_json(root / MASKS / "dataset_description.json", _facts("lesion masks", "derivative", content))
    # The last file to be written: it shows that all others are there.
    provenance.write_json(description, _facts("SOOP, axial FLAIR slices", "raw", content))


def _written(description: Path) -> str | None:
    """Return the hash of the slices that a folder was written from; None for a new folder."""
    if not description.exists():
        return None
    makers = json.loads(description.read_text(encoding="utf-8")).get("GeneratedBy", [])
    for maker in makers:
        if maker.get("Name") == GENERATOR:
            return maker["Version"]
    raise UserError(f"{description}: this folder contains another data set; give the embedded slices a folder of their own")


def _facts(name: str, kind: str, content: str) -> dict:
    return {
        "Name": name,
        "BIDSVersion": "1.9.0",
        "DatasetType": kind,
        "License": "CC0",
        "GeneratedBy": [{"Name": GENERATOR, "Version": content}],
        "SourceDatasets": [{"DOI": "doi:10.18112/openneuro.ds004889", "URL": "https://openneuro.org/datasets/ds004889"}],
    }
