from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.manifest import check_manifest
from madad.data.cohorts import bids
from madad.data.cohorts.finding import reading
from madad.data.cohorts.finding.manifest_rows import read
from madad.data.cohorts.finding.reading import Reading
from tests.data.cohorts.small_cohorts import READ, read_bids, t1w, write_image

Root = Callable[..., Path]


def read_all(root: Path, depth: str = "all", **options: object) -> Reading:
    """Everything found in a data set of T1w images."""
    return read(bids.find, root, READ | options, ["T1w"], depth)


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
    read, original = [], reading.file_hash
    monkeypatch.setattr(reading, "file_hash", lambda path: read.append(path) or original(path))
    rows, _ = read_bids(bids_root(*(name.removesuffix(".gz") for name in t1w(*"abcdef"))), READ, ["T1w"])
    assert len(rows) == len(read) == 6


def test_the_first_of_several_images_is_taken_and_the_next_named(bids_root: Root) -> None:
    found = read_all(bids_root("sub-01/anat/sub-01_run-1_T1w.nii", "sub-01/anat/sub-01_run-2_T1w.nii"))
    assert found.rows[0]["path"].endswith("run-1_T1w.nii") and found.excluded == []
    assert found.passed[0]["path"].endswith("run-2_T1w.nii") and "run-1_T1w.nii is used" in found.passed[0]["reason"]


def test_the_second_run_serves_if_the_first_cannot_be_read(bids_root: Root) -> None:
    root = bids_root("sub-01/anat/sub-01_run-1_T1w.nii", "sub-01/anat/sub-01_run-2_T1w.nii")
    spoil(root / "sub-01/anat/sub-01_run-1_T1w.nii", "garbage")
    found = read_all(root)
    assert found.rows[0]["path"].endswith("run-2_T1w.nii") and "not a readable NIfTI" in found.excluded[0]["reason"]


MASK = "derivatives/manual/sub-02/anat/sub-02_label-lesion_mask.nii.gz"


@pytest.mark.parametrize(
    ("asked", "groups"),
    [
        ("auto", ["unknown", "patient"]),
        ("healthy", ["healthy"] * 2),
        ("patient", ["patient"] * 2),
        ("by_mask", ["healthy", "patient"]),
    ],
)
def test_a_lesion_mask_makes_a_patient_and_nothing_makes_anybody_healthy_unasked(
    bids_root: Root, asked: str, groups: list[str]
) -> None:
    rows, _ = read_bids(bids_root(*t1w("01", "02"), MASK), READ | {"group": asked}, ["T1w"])
    assert [row["group"] for row in rows] == groups
    assert [row["split"] == "none" for row in rows] == [group == "unknown" for group in groups]
    assert all(bool(row["evidence"]) == (row["group"] != "unknown") for row in rows)
    check_manifest("manifest.tsv", rows)


def test_who_is_unlabelled_is_tested_on_and_nothing_else(bids_root: Root) -> None:
    rows, _ = read_bids(bids_root(*t1w("01", "02", "03"), MASK), READ | {"group": "unlabelled"}, ["T1w"])
    assert [(row["group"], row["split"]) for row in rows if row["subject"] != "sub-02"] == [("unknown", "test")] * 2
    assert all(row["evidence"] for row in rows)
    check_manifest("manifest.tsv", rows)


def test_no_one_with_a_lesion_mask_is_learnt_from_as_healthy(bids_root: Root) -> None:
    root = bids_root(*t1w("02"), MASK, participants="participant_id\tgroup\nsub-02\tcontrol\n")
    found = read_all(root)
    assert found.rows[0]["group"] == "patient" and "sub-02 is listed as healthy but has a lesion mask" in found.notes[0]


@pytest.mark.parametrize(("written", "group"), [("control", "healthy"), ("patient", "patient"), ("n/a", "unknown")])
def test_an_all_zero_mask_makes_nobody_a_patient_and_nobody_healthy(bids_root: Root, written: str, group: str) -> None:
    root = bids_root(*t1w("02"), participants=f"participant_id\tgroup\nsub-02\t{written}\n")
    nib.save(nib.Nifti1Image(np.zeros((6, 7, 8), np.uint8), np.eye(4)), write_image(root / MASK, 1))
    found = read_all(root)
    assert (found.rows[0]["group"], found.rows[0]["lesion_mask"]) == (group, "")
    assert found.passed[0]["path"] == str(root / MASK) and "all zero" in found.passed[0]["reason"]


def test_a_mask_of_one_session_makes_a_patient_in_all(bids_root: Root) -> None:
    mask = "derivatives/m/sub-1/ses-b/sub-1_ses-b_label-lesion_mask.nii.gz"
    rows, _ = read_bids(bids_root(*(f"sub-1/ses-{s}/anat/sub-1_ses-{s}_T1w.nii" for s in "ab"), mask), READ, ["T1w"])
    assert [(row["group"], bool(row["lesion_mask"])) for row in rows] == [("patient", False), ("patient", True)]


def test_a_session_without_the_sequence_is_named(bids_root: Root) -> None:
    found = read_all(bids_root("sub-1/ses-a/anat/sub-1_ses-a_T1w.nii", "sub-1/ses-b/anat/sub-1_ses-b_T2w.nii"))
    assert "ses-b" in found.excluded[0]["path"] and "no T1w image" in found.excluded[0]["reason"]
    assert found.passed[0]["path"].endswith("ses-b_T2w.nii")


def test_names_alone_open_no_file(bids_root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    root = bids_root(*t1w("01", "02"), MASK)
    for path in root.rglob("*.nii.gz"):
        path.write_bytes(b"")
    found = read_all(root, depth="names")
    assert [row["group"] for row in found.rows] == ["unknown", "patient"] and not found.excluded


def test_a_limit_takes_the_same_few_each_time(bids_root: Root) -> None:
    root = bids_root(*t1w(*"abcdefgh"))
    few = [
        subjects(read_bids(root, READ | {"group": "healthy", "limit": 3, "split_seed": seed}, ["T1w"])[0]) for seed in (0, 0, 1)
    ]
    assert few[0] == few[1] != few[2]
    assert len(few[0]) == 3


def test_a_limit_does_not_count_subjects_of_unknown_group(bids_root: Root) -> None:
    rows = "".join(f"sub-{one}\t{'control' if one in 'ah' else 'n/a'}\n" for one in "abcdefgh")
    root = bids_root(*t1w(*"abcdefgh"), participants=f"participant_id\tgroup\n{rows}")
    found = read_bids(root, READ | {"limit": 2}, ["T1w"])[0]
    assert {row["subject"] for row in found if row["split"] != "none"} == {"sub-a", "sub-h"}


def test_a_limit_counts_usable_subjects(bids_root: Root) -> None:
    root = bids_root(*t1w("01", "02"))
    spoil(root / t1w("01")[0], "garbage")
    assert subjects(read_bids(root, READ | {"group": "healthy", "limit": 1}, ["T1w"])[0]) == ["sub-02"]


def test_pairs_are_compared_by_their_voxels(tmp_path: Path) -> None:
    for number, subject in enumerate(("sub-01", "sub-02", "sub-03")):
        array = np.random.default_rng(number % 2).integers(1, 1000, (6, 7, 8)).astype(np.int16)
        (tmp_path / subject).mkdir()
        nib.save(nib.Nifti1Pair(array, np.eye(4)), tmp_path / subject / f"{subject}_T1w.img")
    found = read_all(tmp_path, group="healthy")
    assert subjects(found.rows) == ["sub-01", "sub-02"] and found.excluded[0]["subject"] == "sub-03"
