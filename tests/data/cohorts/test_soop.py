"""The embedded slices: what is unpacked, and that it is read as meant."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from madad.configuration import cohort_cards
from madad.core.errors import UserError
from madad.core.io.volumes import load_image, load_mask
from madad.data.cohorts import soop
from madad.data.cohorts.finding.understanding import read_cohort
from tests.data.cohorts.small_cohorts import READ


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("soop")
    soop.build(folder)
    return folder


def test_every_subject_is_read_with_its_group_and_split(root: Path) -> None:
    options = cohort_cards.card("soop")["options"]
    rows = read_cohort("bids", root, {**READ, **options}, ["FLAIR"]).rows
    counts = Counter((row["group"], row["split"]) for row in rows)
    assert counts == {
        ("healthy", "train"): 240,
        ("healthy", "validation"): 40,
        ("healthy", "test"): 40,
        ("patient", "validation"): 50,
        ("patient", "test"): 100,
    }
    assert all(bool(row["lesion_mask"]) == (row["group"] == "patient") for row in rows)
    made = cohort_cards.made_subjects({"kind": "soop"})
    assert made == (320, 150)


def test_slices_lie_in_one_space_and_lesions_inside_the_brain(root: Path) -> None:
    masks = sorted(root.glob("derivatives/lesion-masks/*/anat/*.nii.gz"))
    assert len(masks) == 150
    for path in masks[::10]:
        subject = path.name.split("_")[0]
        image = load_image(root / subject / "anat" / f"{subject}_FLAIR.nii.gz")
        lesion = load_mask(path, image).array > 0
        assert image.array.shape == (80, 96, 1) and image.affine[2, 3] == 18
        # A stroke of less than 50 mm2 in the source was not taken.
        assert lesion.sum() >= 8 and image.array[lesion].min() > 0


def test_most_strokes_are_brighter_than_the_brain_about_them(root: Path) -> None:
    brighter = []
    for path in root.glob("derivatives/lesion-masks/*/anat/*.nii.gz"):
        subject = path.name.split("_")[0]
        image = load_image(root / subject / "anat" / f"{subject}_FLAIR.nii.gz").array
        lesion = load_mask(path).array > 0
        brighter.append(np.median(image[lesion]) > np.median(image[(image > 0) & ~lesion]))
    assert np.mean(brighter) > 0.9


def test_unpacking_again_touches_nothing_and_another_data_set_is_refused(root: Path, tmp_path: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    soop.build(root)
    assert times == {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    (tmp_path / "dataset_description.json").write_text('{"Name": "mine"}')
    with pytest.raises(UserError, match="another data set"):
        soop.build(tmp_path)


def test_an_interrupted_unpacking_is_completed(root: Path, tmp_path: Path) -> None:
    soop.build(tmp_path)
    (tmp_path / "dataset_description.json").unlink()
    image = next(tmp_path.glob("sub-*/anat/*.nii.gz"))
    image.unlink()
    soop.build(tmp_path)
    assert image.exists() and (tmp_path / "dataset_description.json").exists()


def test_the_attribution_comes_with_the_data(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert "10.1038/s41597-024-03667-5" in text and "CC0" in text and "windowed" in text
