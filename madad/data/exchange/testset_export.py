"""A test set for people with another framework: images and brain masks as NIfTI files, and nothing that tells the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack
from madad.core.io.manifest import Row, write_table
from madad.core.io.volumes import Volume, save_volume
from madad.core.logs import progress, say
from madad.core.provenance import write_json
from madad.data.exchange.case_names import in_order

IMAGES, BRAINS = "images", "brains"
ABOUT = (
    "Write one NIfTI map for every file in images/, under the same file name and on the same grid: the larger a value, the more "
    "abnormal its voxel. Any number format will do. Values outside the brain mask do not count. Treat every image alone: a test "
    "set with implanted lesions also holds the same heads without them, and comparing the two finds every lesion."
)


def export_testset(packs: Sequence[Path], folder: Path) -> None:
    """Write images, brain masks, their names and their grid; no lesion mask, group, age or name of a subject.

    Args:
        packs: of one test set, usually those of validation and test.
        folder: for `images/<case>.nii.gz`, `brains/<case>.nii.gz`, `cases.tsv` and `testset.json`; empty, or none yet.

    Raises:
        UserError: the folder holds something, or no pack holds an image.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserError(
            f"{folder}: is not empty; name another folder, so that no file of an earlier export is mistaken for one of this"
        )
    rows: list[Row] = []
    about: dict[str, object] = {}
    for path in packs:
        with Pack(path) as pack:
            rows += write_cases(pack, folder)
            about = _about(pack) if len(pack) else about
    if not rows:
        raise UserError(f"{', '.join(map(str, packs))}: no image in any of them; name other splits")
    write_table(folder / "cases.tsv", rows, ("case", "split"))
    write_json(folder / "testset.json", {**about, "images": len(rows), "task": ABOUT})
    say(f"{folder}: {len(rows)} images with brain masks, and no truth")


def write_cases(pack: Pack, folder: Path) -> list[Row]:
    """Write images and brain masks of a pack and return a row for each, in the order of their new names."""
    for case, index in progress(in_order(pack), f"exporting {pack.split}"):
        for kind, array in ((IMAGES, pack.image(index)), (BRAINS, pack.brain(index).astype(np.uint8))):
            # (S, H, W) back to (I, J, K)
            save_volume(folder / kind / f"{case}.nii.gz", Volume(array.transpose(2, 1, 0), pack.affine))
    return [{"case": case, "split": pack.split} for case, _ in in_order(pack)]


def _about(pack: Pack) -> dict[str, object]:
    return {
        "testset": pack.cohort,
        "modality": pack.modality,
        "shape": list(pack.shape[::-1]),
        "spacing_mm": [float(side) for side in pack.spacing_mm[::-1]],
        "affine": pack.affine.tolist(),
        "intensities": "0 to 1 is the normal range in the brain, what is brighter lies above 1, 0 outside",
    }
