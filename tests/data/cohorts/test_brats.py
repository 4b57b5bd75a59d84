from __future__ import annotations

from pathlib import Path

import pytest

from madad.configuration import cohort_names, settings, subject_counts
from madad.core.errors import UserError
from tests.data.cohorts.small_cohorts import write_image
from tests.data.cohorts.small_trees import brats
from tests.data.cohorts.test_public_layouts import read_kind


def test_every_sequence_has_the_case_s_labels(tmp_path: Path) -> None:
    rows, _ = read_kind("brats", brats(tmp_path, 2), "FLAIR", "T1w", "T1ce", "T2w")
    assert [row["modality"] for row in rows[:4]] == ["FLAIR", "T1ce", "T1w", "T2w"]
    assert {row["subject"] for row in rows} == {"sub-BraTS202100000", "sub-BraTS202100002"}
    assert all(Path(row["lesion_mask"]).name == f"BraTS2021_{row['subject'][-5:]}_seg.nii.gz" for row in rows)
    assert {(row["lesion_labels"], row["lesion_kind"]) for row in rows} == {("", "tumour")}  # all labels fused


def test_the_split_has_the_published_shares(tmp_path: Path) -> None:
    rows, _ = read_kind("brats", brats(tmp_path, 25))
    assert sum(row["split"] == "validation" for row in rows) == 2  # 25 * 100 / 1251


def test_labels_can_be_chosen(tmp_path: Path) -> None:
    rows, _ = read_kind("brats", brats(tmp_path), lesion_labels=[1, 4])
    assert {row["lesion_labels"] for row in rows} == {"1 4"}


def test_cases_of_2020_are_read_as_well(tmp_path: Path) -> None:
    for word in ("flair", "seg"):
        write_image(tmp_path / "BraTS20_Training_001" / f"BraTS20_Training_001_{word}.nii", len(word))
    assert read_kind("brats", tmp_path, "FLAIR")[0][0]["subject"] == "sub-BraTS20Training001"


def test_a_misnamed_folder_does_not_matter(tmp_path: Path) -> None:
    root = brats(tmp_path)
    (root / "BraTS2021_00000").rename(root / "first case")
    assert len(read_kind("brats", root)[0]) == 3


OLD, NEW = ("flair", "t1", "t1ce", "t2", "seg"), ("t2f", "t1n", "t1c", "t2w", "seg")
# What the challenge calls a case, by year, and the words that end its files.
EDITIONS = {
    "2017": ("Brats17_CBICA_AAB_1", "_", OLD),
    "2018": ("Brats18_TCIA01_131_1", "_", OLD),
    "2019": ("BraTS19_2013_10_1", "_", OLD),
    "2020": ("BraTS20_Training_001", "_", OLD),
    "2021": ("BraTS2021_00000", "_", OLD),
    "2023": ("BraTS-GLI-00000-000", "-", NEW),
    "2023 Africa": ("BraTS-SSA-00002-000", "-", NEW),
    "2024": ("BraTS-GLI-02063-101", "-", NEW),
}


def edition(root: Path, case: str, sign: str, words: tuple[str, ...]) -> Path:
    for word in words:
        write_image(root / case / f"{case}{sign}{word}.nii.gz", len(list(root.rglob("*"))))
    return root


@pytest.mark.parametrize("year", EDITIONS)
def test_the_names_of_every_year_are_read(tmp_path: Path, year: str) -> None:
    case, sign, words = EDITIONS[year]
    rows, excluded = read_kind("brats", edition(tmp_path, case, sign, words), "FLAIR", "T1w", "T1ce", "T2w")
    assert excluded == [] and [row["modality"] for row in rows] == ["FLAIR", "T1ce", "T1w", "T2w"]
    shown = {row["modality"]: row["path"].removesuffix(".nii.gz").split(sign)[-1] for row in rows}
    assert [shown[modality] for modality in ("FLAIR", "T1w", "T1ce", "T2w")] == list(words[:4])
    assert {Path(row["lesion_mask"]).name for row in rows} == {f"{case}{sign}seg.nii.gz"}


def test_time_points_of_a_patient_are_sessions_of_one_split(tmp_path: Path) -> None:
    for case in ("BraTS-GLI-02063-100", "BraTS-GLI-02063-101", "BraTS-GLI-02064-100"):
        edition(tmp_path, case, "-", NEW)
    rows, _ = read_kind("brats", tmp_path, "FLAIR")
    assert [(row["subject"], row["session"]) for row in rows] == [
        ("sub-BraTSGLI02063", "ses-100"),
        ("sub-BraTSGLI02063", "ses-101"),
        ("sub-BraTSGLI02064", "ses-100"),
    ]
    assert subject_counts.subjects({"kind": "brats", "root": str(tmp_path)}) == 2


@pytest.mark.parametrize("case", ["BraTS2031_00000", "BraTS-XYZ-00000-000", "Brats25_Training_001", "BraTS-MEN-RT-0000-1"])
def test_names_of_an_unknown_edition_are_refused_before_the_run(tmp_path: Path, case: str) -> None:
    edition(edition(tmp_path, *EDITIONS["2021"]), case, "_", ("t1c",))
    config = {"cohorts": {"b": {"kind": "brats", "root": str(tmp_path), "group": "patient"}, "p": {"kind": "phantom"}}}
    with pytest.raises(UserError, match=rf"no known edition of BraTS: {case}/{case}_t1c.nii.gz; known are .*BraTS2021_00000"):
        settings.resolve({**config, "train_on": ["p"], "test_on": ["b"], "modalities": ["FLAIR"], "methods": ["intensity"]})
    with pytest.raises(UserError, match="no known edition"):
        read_kind("brats", tmp_path, "FLAIR")


def test_two_years_in_one_folder_are_refused(tmp_path: Path) -> None:
    edition(edition(tmp_path, *EDITIONS["2020"]), *EDITIONS["2021"])
    with pytest.raises(UserError, match=r"BraTS 2020 \(.*\) and BraTS 2021 \(.*\); editions share patients"):
        read_kind("brats", tmp_path, "FLAIR")


def test_the_year_says_which_published_numbers_stand_beside(tmp_path: Path) -> None:
    found = {}
    for year in ("2018", "2020", "2021", "2023"):
        root = edition(tmp_path / year.replace(" ", ""), *EDITIONS[year])
        found[year] = cohort_names.defaults("brats", {"root": str(root)})["dataset"]
    assert found == {"2018": None, "2020": "BraTS20", "2021": "BraTS21", "2023": None}


def test_the_one_mask_with_a_name_of_its_own_is_found(tmp_path: Path) -> None:
    root = edition(tmp_path, *EDITIONS["2020"])
    mask = root / "BraTS20_Training_001" / "BraTS20_Training_001_seg.nii.gz"
    mask.rename(mask.with_name("W39_1998.09.19_Segm.nii.gz"))
    rows, _ = read_kind("brats", root, "FLAIR")
    assert Path(rows[0]["lesion_mask"]).name == "W39_1998.09.19_Segm.nii.gz"


def test_a_derived_image_is_passed_over_by_name(tmp_path: Path) -> None:
    root = edition(tmp_path, *EDITIONS["2021"])
    write_image(root / "BraTS2021_00000" / "BraTS2021_00000_flair_bet.nii.gz", 77)
    rows, excluded = read_kind("brats", root, "FLAIR")
    assert len(rows) == 1 and [row["subject"] for row in excluded] == ["BraTS2021_00000_flair_bet.nii.gz"]
