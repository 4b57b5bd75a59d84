"""Trees laid out as the public data sets are, of tiny images of noise."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

from madad.configuration import cohort_cards
from tests.data.cohorts.small_cohorts import READ, write_image

FRAMES = {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}
_seeds = count()


def _write(root: Path, *names: str, shape: tuple[int, ...] = (6, 7, 8)) -> None:
    for name in names:
        write_image(root / name, next(_seeds), shape)


def ixi(root: Path, subjects: int = 3) -> Path:
    """T1w and T2w of all, PDw of the first, and what else the archives hold."""
    for number in range(subjects):
        site = ("HH", "Guys", "IOP")[number % 3]
        name = f"IXI{12 + number:03d}-{site}-{1211 + number}"
        _write(root, f"IXI-T1/{name}-T1.nii.gz", f"IXI-T2/{name}-T2.nii.gz", f"IXI-DTI/{name}-DTI-00.nii.gz")
    _write(root, "IXI-PD/IXI012-HH-1211-PD.nii.gz")
    table = 'IXI_ID,"SEX_ID (1=m, 2=f)",HEIGHT,DOB,AGE\n12,1,170,1970-01-01,35.801\n12,0,0,,\n13,2,160,,46.71\n'
    (root / "IXI.csv").write_text(table + "14,1,,,20.5\n14,1,,,40.5\n")
    return root


def brats(root: Path, subjects: int = 3) -> Path:
    """Cases whose numbers have gaps, as in the challenge."""
    for number in range(subjects):
        case = f"BraTS2021_{2 * number:05d}"
        _write(root, *(f"{case}/{case}_{word}.nii.gz" for word in ("flair", "t1", "t1ce", "t2", "seg")))
    return root


def atlas(root: Path, subjects: int = 3) -> Path:
    """Two sites, the first subject scanned twice, and test scans without masks."""
    for number in range(subjects):
        site = 1 + number % 2
        subject = f"sub-r{site:03d}s{number:03d}"
        for session in ("ses-1", "ses-2")[: 2 if number == 0 else 1]:
            start = f"Training/R{site:03d}/{subject}/{session}/anat/{subject}_{session}_space-MNI152NLin2009aSym"
            _write(root, f"{start}_T1w.nii.gz", f"{start}_label-L_desc-T1lesion_mask.nii.gz")
    _write(root, "Testing/R005/sub-r005s001/ses-1/anat/sub-r005s001_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz")
    _write(root, "MNI152NLin2009aSym.nii.gz")
    return root


def mslub(root: Path, subjects: int = 3) -> Path:
    """Both variants of every patient; raw T1w and T2w images have grids of their own."""
    for number in range(1, subjects + 1):
        name = f"patient{number:02d}"
        words = ("FLAIR", "T1W", "T1WKS", "T2W", "brainmask", "consensus_gt")
        _write(root, *(f"{name}/{name}_{word}.nii.gz" for word in words), f"{name}/raw/{name}_FLAIR.nii.gz")
        _write(root, *(f"{name}/raw/{name}_{word}.nii.gz" for word in words[1:4]), shape=(5, 5, 5))
    return root


def wmh(root: Path, subjects: int = 3) -> Path:
    """One person a site, or more, and the annotations of further observers."""
    for number in range(subjects):
        person = f"training/{('Utrecht', 'Singapore', 'Amsterdam/GE3T')[number % 3]}/{50 * (number % 3) + number // 3}"
        _write(root, f"{person}/wmh.nii.gz", f"{person}/orig/3DT1.nii.gz")
        _write(root, *(f"{person}/{folder}/{word}.nii.gz" for folder in ("pre", "orig") for word in ("FLAIR", "T1")))
        _write(root, f"additional_annotations/observer_o3/{person}/result.nii.gz")
    return root


def msd(root: Path, subjects: int = 3) -> Path:
    """Four frames a file, and the hidden twins that macOS packed into the archive."""
    for number in range(1, subjects + 1):
        name = f"BRATS_{number:03d}.nii.gz"
        _write(root, f"imagesTr/{name}", shape=(6, 7, 8, 4))
        _write(root, f"labelsTr/{name}")
        (root / "imagesTr" / f"._{name}").write_bytes(b"macOS")
    _write(root, "imagesTs/BRATS_485.nii.gz", shape=(6, 7, 8, 4))
    (root / "dataset.json").write_text(json.dumps({"modality": FRAMES}))
    return root


TREES: dict[str, Callable[..., Path]] = {"ixi": ixi, "brats": brats, "atlas": atlas, "mslub": mslub, "wmh": wmh, "msd": msd}


def options_of(kind: str, **given: object) -> dict:
    """Complete options of a cohort of a kind, as far as reading it wants them."""
    return {**READ, "validation_patients": [], "lesion_labels": None, **cohort_cards.defaults(kind, given), **given}
