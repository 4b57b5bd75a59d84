from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from madad.core.errors import UserError
from madad.core.io.manifest import check_manifest
from tests.data.cohorts.small_cohorts import PHANTOM, READ, read_bids, t1w

Root = Callable[..., Path]


def subjects(rows: list[dict[str, str]]) -> list[str]:
    return [row["subject"] for row in rows]


def test_the_phantom_reads_back_whole(phantom_root: Path) -> None:
    rows, excluded = read_bids(phantom_root, READ, PHANTOM["modalities"])
    check_manifest("manifest.tsv", rows)
    assert (len(rows), excluded) == (10, [])
    assert all(row["brain_mask"] for row in rows)
    assert {row["lesion_kind"] for row in rows if row["lesion_mask"]} == {"tumour", "ms", "stroke", "wmh"}


def test_a_subject_without_images_is_said(bids_root: Root) -> None:
    root = bids_root(*t1w("01"))
    (root / "sub-02").mkdir()
    assert [(row["subject"], row["reason"]) for row in read_bids(root, READ, ["T1w"])[1]] == [("sub-02", "no T1w image")]


def test_several_rows_of_a_subject_are_refused(bids_root: Root) -> None:
    root = bids_root(*t1w("01", "02"), participants="participant_id\tage\n01\t30\n02\t31\n01\t55\n")
    with pytest.raises(UserError, match="sub-01 in the lines 2, 4"):
        read_bids(root, READ, ["T1w"])


def test_participants_without_a_folder_are_said(bids_root: Root) -> None:
    root = bids_root(*t1w("01"), participants="participant_id\n01\nsub-77\n")
    assert [row["subject"] for row in read_bids(root, READ, ["T1w"])[1]] == ["sub-77"]


def test_several_lesion_masks_of_one_image_are_not_guessed_between(bids_root: Root) -> None:
    masks = [f"derivatives/manual/sub-01/anat/sub-01_label-lesion{number}_mask.nii.gz" for number in (1, 2)]
    rows, excluded = read_bids(bids_root(*t1w("01", "02"), *masks), READ, ["T1w"])
    assert subjects(rows) == ["sub-02"]
    assert "2 masks lie on its grid" in excluded[0]["reason"] and "lesion_masks" in excluded[0]["reason"]


@pytest.mark.parametrize(
    ("name", "modalities", "images"),
    [("ixi-hh", ["T1w"], 100), ("mslub", ["T1w", "FLAIR"], 2), ("mslub-raw", ["T1w", "T2w", "FLAIR"], 6)],
)
def test_real_data_sets_read(real_data: Path, name: str, modalities: list[str], images: int) -> None:
    rows, excluded = read_bids(real_data / name, READ, modalities)
    check_manifest(name, rows)
    assert (len(rows), excluded) == (images, [])


def test_a_t1w_image_after_contrast_agent_is_a_sequence_of_its_own(bids_root: Root) -> None:
    root = bids_root(*t1w("01"), "sub-01/anat/sub-01_ce-gadolinium_T1w.nii.gz", "sub-02/anat/sub-02_ce-gd_T1w.nii.gz")
    rows, _ = read_bids(root, READ, ["T1w", "T1ce"])
    assert [(row["subject"], row["modality"]) for row in rows] == [("sub-01", "T1ce"), ("sub-01", "T1w"), ("sub-02", "T1ce")]
