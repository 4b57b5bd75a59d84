from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.manifest import check_manifest
from madad.data.cohorts.finding import manifest_rows
from tests.data.cohorts.small_cohorts import READ, read_bids, t1w, write_image

Root = Callable[..., Path]


def subjects(rows: list[dict[str, str]]) -> list[str]:
    return [row["subject"] for row in rows]


def test_paths_start_with_the_root_as_given(bids_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    root = bids_root(*t1w("01"))
    monkeypatch.chdir(root.parent)
    assert read_bids(Path("data"), READ, ["T1w"])[0][0]["path"] == "data/sub-01/anat/sub-01_T1w.nii.gz"


def test_sessions_of_a_subject_share_a_split(bids_root: Root) -> None:
    root = bids_root(*(f"sub-{i}/ses-{s}/anat/sub-{i}_ses-{s}_T1w.nii" for i in range(6) for s in "ab"))
    rows, _ = read_bids(root, READ, ["T1w"])
    check_manifest("manifest.tsv", rows)
    assert len(rows) == 12


def test_a_modality_that_nobody_has_names_what_there_is(bids_root: Root) -> None:
    with pytest.raises(UserError, match=r"FLAIR.*found are T1w"):
        read_bids(bids_root(*t1w("01", "02")), READ, ["FLAIR"])


def test_a_modality_that_some_lack_costs_those_alone(bids_root: Root) -> None:
    root = bids_root(*t1w("01", "02"), "sub-02/anat/sub-02_FLAIR.nii.gz")
    rows, excluded = read_bids(root, READ, ["T1w", "FLAIR"])
    assert sorted(row["modality"] for row in rows) == ["FLAIR", "T1w", "T1w"]
    assert [row["subject"] for row in excluded] == ["sub-01"] and "FLAIR" in excluded[0]["reason"]


def spoil(path: Path, how: str) -> None:
    if how == "garbage":
        path.write_bytes(b"no image")
    elif how == "4D":
        write_image(path, 1, shape=(4, 4, 4, 3))
    elif how == "singular":
        write_image(path, 1)
        _flatten_affine(path)
    else:
        path.unlink()
        path.symlink_to("not-fetched.nii.gz")


def _flatten_affine(path: Path) -> None:
    import nibabel as nib

    image = nib.load(path)
    image = nib.Nifti1Image(np.asarray(image.dataobj), None, image.header)
    image.header.set_sform(np.diag([1.0, 1.0, 0.0, 1.0]), code=1)
    nib.save(image, path)


@pytest.mark.parametrize("how", ["garbage", "4D", "singular", "dangling link"])
def test_a_bad_image_costs_its_subject_alone(bids_root: Root, how: str) -> None:
    root = bids_root(*t1w("01", "02"))
    bad = root / t1w("01")[0]
    spoil(bad, how)
    rows, excluded = read_bids(root, READ, ["T1w"])
    assert subjects(rows) == ["sub-02"]
    assert [row["subject"] for row in excluded] == ["sub-01"] and str(bad) in excluded[0]["reason"]


def test_when_nothing_is_usable_the_reasons_are_given(bids_root: Root) -> None:
    root = bids_root(*t1w("01"))
    spoil(root / t1w("01")[0], "garbage")
    with pytest.raises(UserError, match="not a readable NIfTI"):
        read_bids(root, READ, ["T1w"])


def test_one_image_under_two_subjects_is_used_once(bids_root: Root) -> None:
    root = bids_root(*t1w("01", "02", "03"))
    shutil.copy(root / t1w("01")[0], root / t1w("03")[0])
    rows, excluded = read_bids(root, READ, ["T1w"])
    assert subjects(rows) == ["sub-01", "sub-02"]
    assert excluded[0]["subject"] == "sub-03" and "sub-01" in excluded[0]["reason"]


def test_files_of_one_size_are_read_once_each(bids_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    read, original = [], manifest_rows.file_hash
    monkeypatch.setattr(manifest_rows, "file_hash", lambda path: read.append(path) or original(path))
    rows, _ = read_bids(bids_root(*(name.removesuffix(".gz") for name in t1w(*"abcdef"))), READ, ["T1w"])
    assert len(rows) == len(read) == 6


def test_the_first_of_several_images_is_taken(bids_root: Root) -> None:
    root = bids_root("sub-01/anat/sub-01_run-1_T1w.nii", "sub-01/anat/sub-01_run-2_T1w.nii")
    rows, excluded = read_bids(root, READ, ["T1w"])
    assert rows[0]["path"].endswith("run-1_T1w.nii") and excluded[0]["path"].endswith("run-2_T1w.nii")


@pytest.mark.parametrize(
    ("asked", "groups"), [("auto", ["healthy", "patient"]), ("healthy", ["healthy"] * 2), ("patient", ["patient"] * 2)]
)
def test_a_lesion_mask_makes_a_patient_unless_told_otherwise(bids_root: Root, asked: str, groups: list[str]) -> None:
    root = bids_root(*t1w("01", "02"), "derivatives/manual/sub-02/anat/sub-02_label-lesion_mask.nii.gz")
    rows, _ = read_bids(root, READ | {"group": asked}, ["T1w"])
    assert [row["group"] for row in rows] == groups


def test_no_one_with_a_lesion_mask_is_learnt_from_as_healthy(bids_root: Root, capsys: pytest.CaptureFixture) -> None:
    mask = "derivatives/manual/sub-01/anat/sub-01_label-lesion_mask.nii.gz"
    root = bids_root(*t1w("01"), mask, participants="participant_id\tgroup\nsub-01\tcontrol\n")
    assert read_bids(root, READ, ["T1w"])[0][0]["group"] == "patient"
    assert "sub-01 is listed as healthy but has a lesion mask" in capsys.readouterr().err


def test_patients_without_lesion_masks_are_said(bids_root: Root, capsys: pytest.CaptureFixture) -> None:
    read_bids(bids_root(*t1w("01")), READ | {"group": "patient"}, ["T1w"])
    assert "1 patient(s) without a lesion mask" in capsys.readouterr().err


def test_a_limit_takes_the_same_few_each_time(bids_root: Root) -> None:
    root = bids_root(*t1w(*"abcdefgh"))
    few = [subjects(read_bids(root, READ | {"limit": 3, "split_seed": seed}, ["T1w"])[0]) for seed in (0, 0, 1)]
    assert few[0] == few[1] != few[2]
    assert len(few[0]) == 3


def test_a_limit_counts_usable_subjects(bids_root: Root) -> None:
    root = bids_root(*t1w("01", "02"))
    spoil(root / t1w("01")[0], "garbage")
    assert subjects(read_bids(root, READ | {"limit": 1}, ["T1w"])[0]) == ["sub-02"]
