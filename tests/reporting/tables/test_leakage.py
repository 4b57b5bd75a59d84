from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack, Sample, write_pack
from madad.engine.training_data import read_images
from madad.evaluation.statistics.summary import COLUMNS as SUMMARY
from madad.reporting.tables.leakage import learnt_content, write_leakage
from tests.evaluation.leakage.test_duplicates import BRAIN, SPACING, person

SETUP = {"tracks": {"ddpm": "healthy"}, "test_on": ["ixi", "ms"], "roots": {}, "lesion_masks": None, "learns_shapes": []}


def samples(people: dict[str, np.ndarray], group: str = "healthy") -> Iterator[Sample]:
    for name, image in people.items():
        lesion = np.zeros_like(BRAIN)
        yield Sample(name, group, image.astype(np.float32), image > 0, lesion, {"subject": name.partition("_")[0]})


def pack(
    folder: Path, cohort: str, split: str, people: dict[str, np.ndarray], modality: str = "T1w", group: str = "healthy"
) -> Path:
    path = folder / cohort / modality / f"{split}.h5"
    affine = np.diag([SPACING] * 3 + [1.0])
    write_pack(path, samples(people, group), affine=affine, modality=modality, cohort=cohort, split=split)
    return path


def people(*numbers: int) -> dict[str, np.ndarray]:
    return {f"sub-{number:02d}": person(number) for number in numbers}


@pytest.fixture
def clean(tmp_path: Path) -> list[Path]:
    """Packs of two cohorts without a leak."""
    return [
        pack(tmp_path, "ixi", "train", people(*range(8))),
        pack(tmp_path, "ixi", "validation", people(8, 9)),
        pack(tmp_path, "ixi", "test", people(10, 11)),
        pack(tmp_path, "ms", "test", people(20, 21), group="patient"),
    ]


def summary(folder: Path, *measures: str) -> Path:
    row = {"cohort": "ixi", "modality": "T1w", "testset": "ms", "method": "ddpm", "value": 0.1}
    pd.DataFrame([{**row, "measure": key} for key in measures], columns=list(SUMMARY)).to_csv(folder / "summary.csv", index=False)
    return folder / "summary.csv"


def training(folder: Path, learnt: Path, chosen: Path, method: str = "ddpm") -> Path:
    """A `train.json` of a model that learnt from one pack and was chosen by another."""
    seen = {}
    for use, path in (("training", learnt), ("validation", chosen)):
        with Pack(path) as opened:
            seen[use] = {"content": learnt_content(opened), "subjects": len(opened)}
    identity = {"cohort": "ixi", "modality": "T1w", "method": method, "seed": "0"}
    path = folder / f"{method}.json"
    path.write_text(json.dumps({"identity": identity, "data": seen}))
    return path


def checked(
    folder: Path, packs: list[Path], trainings: list[Path] | None = None, **setup
) -> dict[tuple[str, str], tuple[str, str]]:
    """(check, where) to (result, found)."""
    lines = summary(folder, "dice_oracle", "dice_subject", "auprc")
    write_leakage(
        packs, trainings or [], lines, {**SETUP, **setup}, folder / "leak.csv", folder / "leak.html", folder / "first.html"
    )
    table = csv.DictReader((folder / "leak.csv").open())
    return {(row["Check"], row["Where"]): (row["Result"], row["Found"]) for row in table}


def test_clean_run_passes_every_check(tmp_path, clean) -> None:
    found = checked(tmp_path, clean, [training(tmp_path, clean[0], clean[1])])
    assert {result for result, _ in found.values()} == {"passed"}
    assert found["One person, one split", "ixi"][1] == "subjects: 8 train, 2 validation, 2 test; none twice"
    assert found["Models and test data", "all"][1].startswith("1 trainings")
    page = (tmp_path / "leak.html").read_text()
    assert page.count('class="good"') == len(found) and 'class="bad"' not in page
    assert f"{len(found)} of {len(found)} checks passed." in (tmp_path / "first.html").read_text()


def test_person_in_two_splits_ends_the_run(tmp_path, clean) -> None:
    clean[2] = pack(tmp_path, "ixi", "test", {"sub-10": person(10), "sub-03_ses-2": person(40)})
    with pytest.raises(UserError, match=r"ixi: 1 subject in more than one split \(sub-03 in train and test\)"):
        checked(tmp_path, clean)


def test_person_in_another_sequence_of_another_split_ends_the_run(tmp_path, clean) -> None:
    with pytest.raises(UserError, match="sub-05 in train and test"):
        checked(tmp_path, [*clean, pack(tmp_path, "ixi", "test", people(5), modality="FLAIR")])


@pytest.mark.parametrize("place", [1, 2, 3], ids=["validation", "test", "another cohort"])
def test_copy_under_another_name_is_found(tmp_path, clean, place: int) -> None:
    with Pack(clean[place]) as store:
        cohort, split = store.cohort, store.split
    moved = np.roll(person(4), 1, axis=2)
    copied = np.where(moved > 0, 0.5 * moved + 0.2, 0)
    clean[place] = pack(tmp_path, cohort, split, {**people(30, 31), "sub-99": copied})
    result, words = checked(tmp_path, clean)["No image in two splits", "T1w"]
    assert result == "LEAK"
    assert words.startswith(f"sub-04 (ixi train) and sub-99 ({cohort} {split}), r = ")
    assert 'class="bad"' in (tmp_path / "leak.html").read_text()
    assert "cannot be trusted" in (tmp_path / "first.html").read_text()


def test_copy_within_the_test_subjects_is_told(tmp_path, clean) -> None:
    clean[2] = pack(tmp_path, "ixi", "test", {**people(10, 11), "sub-77": person(10)})
    found = checked(tmp_path, clean)
    result, words = found["Nobody tested twice", "T1w"]
    assert result == "look" and "sub-10 (ixi test) and sub-77 (ixi test), r = 1.00" in words
    assert found["No image in two splits", "T1w"][0] == "passed"


def test_sessions_of_one_person_and_copies_in_training_are_no_leak(tmp_path, clean) -> None:
    clean[0] = pack(tmp_path, "ixi", "train", {**people(*range(8)), "sub-00_ses-2": person(0), "sub-60": person(1)})
    assert checked(tmp_path, clean)["No image in two splits", "T1w"][0] == "passed"


def test_model_that_saw_a_test_pack_is_found(tmp_path, clean) -> None:
    trainings = [training(tmp_path, clean[2], clean[1]), training(tmp_path, clean[0], clean[2], "pddpm")]
    table = tmp_path / "leak.csv"
    checked(tmp_path, clean, trainings)
    told = [row["Found"] for row in csv.DictReader(table.open()) if row["Result"] == "LEAK"]
    assert told == [
        "saw the test pack of ixi in training: ddpm (seed 0, T1w, ixi)",
        "saw the test pack of ixi in validation: pddpm (seed 0, T1w, ixi)",
    ]


def test_model_of_unknown_data_is_doubtful(tmp_path, clean) -> None:
    other = pack(tmp_path, "gone", "train", people(50))
    result, words = checked(tmp_path, clean, [training(tmp_path, other, clean[1])])["Models and test data", "all"]
    assert result == "look" and "training data that is no pack of this run" in words
    result, words = checked(tmp_path, clean, [training(tmp_path, clean[1], clean[0])])["Models and test data", "all"]
    assert result == "look" and "saw the" in words


def test_content_is_named_as_the_engine_names_it(tmp_path) -> None:
    mixed = tmp_path / "mixed.h5"
    everybody = [*samples(people(1, 2)), *samples(people(3), "patient")]
    write_pack(mixed, iter(everybody), affine=np.diag([SPACING] * 3 + [1.0]), modality="T1w", cohort="ixi", split="train")
    with Pack(mixed) as store:
        assert learnt_content(store) == read_images(mixed, torch.device("cpu")).content


def test_oracle_thresholds_are_listed(tmp_path, clean) -> None:
    result, words = checked(tmp_path, clean)["Thresholds and test labels", "all"]
    assert result == "passed" and "called so: Dice, oracle; Dice, oracle per subject." in words


def test_labels_and_shapes(tmp_path, clean) -> None:
    masks = tmp_path / "ms_root" / "derivatives"
    masks.mkdir(parents=True)
    setup = {
        "tracks": {"ddpm": "healthy", "conddiff": "lesion-masks"},
        "test_on": ["ixi-implanted", "ms"],
        "roots": {"ms": str(tmp_path / "ms_root"), "ixi": str(tmp_path / "ixi_root")},
        "lesion_masks": str(masks),
        "learns_shapes": ["conddiff"],
    }
    found = checked(tmp_path, clean, **setup)
    assert found["Labels in training", "all"] == (
        "look",
        "methods whose training sees more than healthy images: conddiff (lesion-masks)",
    )
    assert found["Lesion shapes", "ms"][0] == "LEAK"
    assert found["Lesion shapes", "ixi-implanted"][0] == "look"
    assert ("Lesion shapes", "ixi") not in found
    above = checked(tmp_path, clean, **{**setup, "lesion_masks": str(tmp_path)})  # the folder is read with all below it
    assert above["Lesion shapes", "ms"][0] == "LEAK"


def test_other_grid_and_no_images_are_told(tmp_path, clean) -> None:
    small = tmp_path / "small.h5"
    sample = Sample("sub-1", "healthy", np.ones((4, 8, 8), np.float32), np.ones((4, 8, 8), bool), np.zeros((4, 8, 8), bool), {})
    write_pack(small, iter([sample]), affine=np.eye(4), modality="T1w", cohort="tiny", split="test")
    result, words = checked(tmp_path, [*clean, small])["No image in two splits", "T1w"]
    assert result == "look" and "lies on another grid" in words
    none = pack(tmp_path, "empty", "test", {})
    assert checked(tmp_path, [none])["One person, one split", "all"] == ("look", "there is no image to check")


def test_one_subject_alone(tmp_path) -> None:
    found = checked(tmp_path, [pack(tmp_path, "ms", "test", people(1))])
    assert found["No image in two splits", "T1w"] == ("passed", "no two above 0.15")
