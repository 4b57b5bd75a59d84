from __future__ import annotations

import json
from pathlib import Path

import pytest

from madad.core.errors import UserError
from tests.data.cohorts.small_cohorts import write_image
from tests.data.cohorts.small_trees import FRAMES, msd
from tests.data.cohorts.test_public_layouts import read_kind


def test_frames_follow_the_data_set_s_own_order(tmp_path: Path) -> None:
    root = msd(tmp_path, 1)
    rows, _ = read_kind("msd", root, "FLAIR", "T1w", "T1ce", "T2w")
    assert {row["modality"]: row["frame"] for row in rows} == {"FLAIR": "0", "T1w": "1", "T1ce": "2", "T2w": "3"}
    (root / "dataset.json").write_text(json.dumps({"modality": {"0": "T2w", "1": "FLAIR"}}))
    assert {row["modality"]: row["frame"] for row in read_kind("msd", root, "FLAIR")[0]} == {"FLAIR": "1"}


def test_only_labelled_images_are_read(tmp_path: Path) -> None:
    rows, excluded = read_kind("msd", msd(tmp_path))
    assert [row["subject"] for row in rows] == ["sub-BRATS001", "sub-BRATS002", "sub-BRATS003"] and excluded == []
    assert all(Path(row["lesion_mask"]).parent.name == "labelsTr" for row in rows)


def test_a_file_with_too_few_frames_is_left_out(tmp_path: Path) -> None:
    root = msd(tmp_path)
    write_image(root / "imagesTr" / "BRATS_002.nii.gz", 7)
    rows, excluded = read_kind("msd", root, "T2w")
    assert len(rows) == 2 and "frame 3" in excluded[0]["reason"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file; it names the sequence of each frame"),
        ("{", "does not name the sequence"),
        ("[]", "does not name the sequence"),
        ('{"labels": {}}', "does not name the sequence"),
        (json.dumps({"modality": FRAMES | {"2": "PET"}}), "known are flair, t1w, t1gd, t2w"),
        (json.dumps({"modality": FRAMES | {"2": "T2w"}}), "each once"),
        (json.dumps({"modality": ["FLAIR", "T1w"]}), "does not name the sequence"),
    ],
)
def test_an_unknown_order_is_not_guessed(tmp_path: Path, content: str | None, says: str) -> None:
    root = msd(tmp_path, 1)
    (root / "dataset.json").unlink()
    if content is not None:
        (root / "dataset.json").write_text(content)
    with pytest.raises(UserError, match=says):
        read_kind("msd", root)
