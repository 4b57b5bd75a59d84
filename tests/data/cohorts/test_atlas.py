from __future__ import annotations

import shutil
from pathlib import Path

from tests.data.cohorts.small_trees import atlas
from tests.data.cohorts.test_public_layouts import read_kind


def test_sites_and_sessions_are_known_and_test_scans_left_alone(tmp_path: Path) -> None:
    rows, excluded = read_kind("atlas", atlas(tmp_path))
    assert [(row["subject"], row["session"], row["site"], row["lesion_kind"]) for row in rows] == [
        ("sub-r001s000", "ses-1", "R001", "stroke"),
        ("sub-r001s000", "ses-2", "R001", "stroke"),
        ("sub-r001s002", "ses-1", "R001", "stroke"),
        ("sub-r002s001", "ses-1", "R002", "stroke"),
    ]
    assert excluded == []


def test_each_session_has_its_own_lesion(tmp_path: Path) -> None:
    rows, _ = read_kind("atlas", atlas(tmp_path))
    assert all(f"{row['subject']}_{row['session']}_" in row["lesion_mask"] for row in rows)


def test_sessions_share_a_split(tmp_path: Path) -> None:
    rows, _ = read_kind("atlas", atlas(tmp_path))
    assert len({row["split"] for row in rows if row["subject"] == "sub-r001s000"}) == 1


def test_masks_may_lie_under_derivatives(tmp_path: Path) -> None:
    root = atlas(tmp_path / "data")
    for mask in list(root.rglob("*lesion_mask.nii.gz")):
        place = root / "derivatives" / "ATLAS" / mask.relative_to(root / "Training").parent
        place.mkdir(parents=True)
        shutil.move(mask, place)
    assert len(read_kind("atlas", root)[0]) == 4
