"""A map of several labels marks lesions if a table says which labels do; otherwise a person is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.io.manifest import Row
from madad.data.cohorts import bids
from madad.data.cohorts.finding.manifest_rows import read
from madad.data.cohorts.finding.reading import Reading
from tests.data.cohorts.small_cohorts import READ, t1w

FOLDER = "derivatives/seg/sub-0{}/anat"
TISSUE, LESION = "index\tname\n1\tgrey matter\n", "index\tname\tabbreviation\n1\tgrey matter\tGM\n7\tLesion\tL\n"


@pytest.fixture
def root(bids_root: Callable[..., Path]) -> Path:
    """Two subjects with a segmentation each; the label 7 is in that of the first alone."""
    made = bids_root(*t1w("01", "02"))
    for number, labels in ((1, (1, 7)), (2, (1, 2))):
        image = nib.load(made / f"sub-0{number}/anat/sub-0{number}_T1w.nii.gz")
        array = np.zeros(image.shape, np.uint8)  # ty: ignore[unresolved-attribute]
        array[1], array[2] = labels
        path = made / FOLDER.format(number) / f"sub-0{number}_desc-mine_dseg.nii.gz"
        path.parent.mkdir(parents=True)
        nib.save(nib.Nifti1Image(array, image.affine), path)  # ty: ignore[unresolved-attribute]
    return made


def reading(root: Path, **options: object) -> tuple[Reading, Row]:
    """What is read, and the row of the first subject."""
    found = read(bids.find, root, {**READ, **options}, ["T1w"])
    return found, next(row for row in found.rows if row["subject"] == "sub-01")


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        *((name, LESION, "7") for name in (f"{FOLDER.format(1)}/sub-01_desc-mine_dseg.tsv", "derivatives/seg/dseg.tsv")),
        ("derivatives/seg/desc-mine_dseg.tsv", "index\tname\n1\tGM\n7\tleft frontal lesion\n9\tlesion core\n", "7 9"),
        (f"{FOLDER.format(1)}/sub-01_desc-mine_dseg.json", json.dumps({"Levels": {"1": "GM", "7": "WM lesion"}}), "7"),
        ("dseg.json", json.dumps({"Levels": {"7": {"LongName": "infarct"}}}), "7"),
        *((name, LESION, "") for name in ("derivatives/seg/desc-other_dseg.tsv", "derivatives/other/dseg.tsv", "mask.tsv")),
        ("derivatives/seg/dseg.tsv", TISSUE, ""),
        ("derivatives/seg/dseg.tsv", "index\tname\n25\tLeft-Lesion\n57\tRight-Lesion\n", ""),
        *(("derivatives/seg/dseg.tsv", text, "") for text in ("", "name\nlesion\n", "index\tname\nx\tlesion\n")),
        *(("derivatives/seg/dseg.json", text, "") for text in ("[]", "{}", "no JSON")),
    ],
)
def test_a_table_says_which_labels_are_lesions(root: Path, name: str, text: str, labels: str) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text)
    found, row = reading(root)
    if labels:
        assert (row["lesion_labels"], row["group"]) == (labels, "patient") and row["lesion_mask"].endswith("mine_dseg.nii.gz")
    else:
        assert (row["lesion_mask"], row["group"]) == ("", "unknown")
        assert any("lesion_mask: …" in one["reason"] for one in found.passed if one["subject"] == "sub-01")


def test_the_nearest_table_counts(root: Path) -> None:
    (root / "dseg.tsv").write_text("index\tname\n1\tlesion\n")
    (root / "derivatives/seg/desc-mine_dseg.tsv").write_text(LESION)
    (root / FOLDER.format(1) / "sub-01_desc-mine_dseg.json").write_text("{}")
    assert reading(root)[1]["lesion_labels"] == "7"
    (root / FOLDER.format(1) / "sub-01_desc-mine_dseg.tsv").write_text(TISSUE)
    assert reading(root)[1]["lesion_labels"] == ""


def test_who_has_no_voxel_of_that_label_has_no_lesion(root: Path) -> None:
    (root / "derivatives/seg/dseg.tsv").write_text(LESION)
    found, _ = reading(root, group="by_mask")
    assert {row["subject"]: row["group"] for row in found.rows} == {"sub-01": "patient", "sub-02": "healthy"}
    assert [row["lesion_labels"] for row in found.rows] == ["7", ""]
    assert any("no voxel with a label that counts (7)" in row["reason"] for row in found.passed)


def test_the_configuration_goes_before_the_table(root: Path) -> None:
    (root / "derivatives/seg/dseg.tsv").write_text(LESION)
    assert reading(root, lesion_labels=[1])[1]["lesion_labels"] == "1"


def test_a_mask_that_its_name_calls_a_lesion_goes_before_a_segmentation(root: Path) -> None:
    (root / "derivatives/seg/dseg.tsv").write_text(LESION)
    mask = root / FOLDER.format(1) / "sub-01_label-lesion_mask.nii.gz"
    mask.write_bytes((root / FOLDER.format(1) / "sub-01_desc-mine_dseg.nii.gz").read_bytes())
    row = reading(root)[1]
    assert (row["lesion_mask"], row["lesion_labels"]) == (str(mask), "")
