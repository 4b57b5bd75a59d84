from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import ndimage

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack, Sample, write_pack
from madad.core.io.manifest import write_table
from madad.data.anomalies.lesion_masks import read_folder
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
    folder: Path, packs: list[Path], trainings: list[Path] | None = None, banks: tuple = (), tables: tuple = (), **setup
) -> dict[tuple[str, str], tuple[str, str]]:
    """(check, where) to (result, found)."""
    lines = summary(folder, "dice_oracle", "dice_subject", "auprc")
    write_leakage(
        packs,
        trainings or [],
        lines,
        banks,
        tables,
        {**SETUP, **setup},
        folder / "leak.csv",
        folder / "leak.html",
        folder / "first.html",
    )
    table = csv.DictReader((folder / "leak.csv").open())
    rows = list(table)
    assert all((row["Result"] == "passed") == (row["Numbers affected"] == "none") for row in rows)
    return {(row["Check"], row["Where"]): (row["Result"], row["Found"]) for row in rows}


def affected(folder: Path) -> list[str]:
    return [row["Numbers affected"] for row in csv.DictReader((folder / "leak.csv").open()) if row["Result"] != "passed"]


def test_clean_run_passes_every_check(tmp_path, clean) -> None:
    found = checked(tmp_path, clean, [training(tmp_path, clean[0], clean[1])])
    assert {result for result, _ in found.values()} == {"passed"}
    assert found["One person, one split", "ixi"][1] == "subjects: 8 train, 2 validation, 2 test; none twice"
    assert found["Models and test data", "all"][1].startswith("1 trainings")
    page = (tmp_path / "leak.html").read_text()
    assert page.count('class="good"') == len(found) and 'class="bad"' not in page
    assert f"Leakage guard: passed, all {len(found)} checks." in (tmp_path / "first.html").read_text()


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
    assert result == "AFFECTED"
    tested = f"every number on {cohort} (T1w)" if split == "test" else "thresholds and checkpoints that were chosen on ixi (T1w)"
    assert affected(tmp_path) == [tested]
    assert words.startswith(f"sub-04 (ixi train) and sub-99 ({cohort} {split}), r = ")
    assert 'class="bad"' in (tmp_path / "leak.html").read_text()
    assert f"these numbers cannot be trusted: {tested}." in (tmp_path / "first.html").read_text()


def test_copy_within_the_test_subjects_is_told(tmp_path, clean) -> None:
    clean[2] = pack(tmp_path, "ixi", "test", {**people(10, 11), "sub-77": person(10)})
    found = checked(tmp_path, clean)
    result, words = found["Nobody tested twice", "T1w"]
    assert result == "AFFECTED" and "sub-10 (ixi test) and sub-77 (ixi test), r = 1.00" in words
    assert affected(tmp_path) == ["every number on ixi (T1w)"]
    assert found["No image in two splits", "T1w"][0] == "passed"


def test_sessions_of_one_person_and_copies_in_training_are_no_leak(tmp_path, clean) -> None:
    clean[0] = pack(tmp_path, "ixi", "train", {**people(*range(8)), "sub-00_ses-2": person(0), "sub-60": person(1)})
    assert checked(tmp_path, clean)["No image in two splits", "T1w"][0] == "passed"


def test_model_that_saw_a_test_pack_is_found(tmp_path, clean) -> None:
    trainings = [training(tmp_path, clean[2], clean[1]), training(tmp_path, clean[0], clean[2], "pddpm")]
    table = tmp_path / "leak.csv"
    checked(tmp_path, clean, trainings)
    told = [row["Found"] for row in csv.DictReader(table.open()) if row["Result"] == "AFFECTED"]
    assert told == [
        "saw the test pack of ixi in training: ddpm (seed 0, T1w, ixi)",
        "saw the test pack of ixi in validation: pddpm (seed 0, T1w, ixi)",
    ]
    assert affected(tmp_path) == ["every number of ddpm (seed 0, T1w, ixi)", "every number of pddpm (seed 0, T1w, ixi)"]


def test_numbers_of_a_model_of_unknown_or_other_data_are_affected(tmp_path, clean) -> None:
    other = pack(tmp_path, "gone", "train", people(50))
    result, words = checked(tmp_path, clean, [training(tmp_path, other, clean[1])])["Models and test data", "all"]
    assert result == "AFFECTED" and "training data that is no pack of this run" in words
    assert affected(tmp_path) == ["every number of ddpm (seed 0, T1w, ixi)"]
    result, words = checked(tmp_path, clean, [training(tmp_path, clean[1], clean[0])])["Models and test data", "all"]
    assert result == "AFFECTED" and "saw the" in words
    assert set(affected(tmp_path)) == {
        "every number under a threshold of ddpm (seed 0, T1w, ixi)",
        "the choice of the checkpoint of ddpm (seed 0, T1w, ixi)",
    }


def test_model_chosen_on_the_subjects_that_choose_thresholds_is_found(tmp_path, clean) -> None:
    many = pack(tmp_path, "ixi", "validation", people(*range(100, 140)))
    trainings = [training(tmp_path, clean[0], many)]
    result, words = checked(tmp_path, [clean[0], many, clean[2]], trainings)["Models and test data", "all"]
    assert result == "AFFECTED" and "saw the validation subjects of ixi that choose thresholds: ddpm" in words
    assert affected(tmp_path) == ["thresholds of the healthy of ddpm (seed 0, T1w, ixi)"]
    told = json.loads(trainings[0].read_text())
    with Pack(many) as opened:
        told["data"]["validation"]["content"] = learnt_content(opened, "checkpoint")
        assert told["data"]["validation"]["content"] == read_images(many, torch.device("cpu"), part="checkpoint").content
    trainings[0].write_text(json.dumps(told))
    assert checked(tmp_path, [clean[0], many, clean[2]], trainings)["Models and test data", "all"][0] == "passed"


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
        "tracks": {"ddpm": "healthy", "conddiff": "lesion-masks", "patchcore": "pretrained"},
        "test_on": ["ixi-implanted", "ms"],
        "roots": {"ms": str(tmp_path / "ms_root"), "ixi": str(tmp_path / "ixi_root")},
        "lesion_masks": str(masks),
        "learns_shapes": ["conddiff"],
    }
    found = checked(tmp_path, clean, **setup)
    assert found["Labels in training", "all"] == (
        "passed",
        "by their track: conddiff (lesion-masks); not known of what the weights of patchcore saw before (pretrained); "
        "all others see healthy images alone",
    )
    assert found["Lesion shapes", "ms"][0] == "AFFECTED" and affected(tmp_path) == ["every number of conddiff on ms"]
    assert found["Lesion shapes", "ixi-implanted"][0] == "passed"
    assert ("Lesion shapes", "ms") not in checked(tmp_path, clean, **{**setup, "learns_shapes": []})
    assert ("Lesion shapes", "ixi") not in found
    above = checked(tmp_path, clean, **{**setup, "lesion_masks": str(tmp_path)})  # the folder is read with all below it
    assert above["Lesion shapes", "ms"][0] == "AFFECTED"


def test_copy_on_another_grid_is_found(tmp_path, clean) -> None:
    """As in a cohort with a pipeline of its own: the same image on voxels that lie between those of the first."""
    affine = np.diag([SPACING] * 3 + [1.0])
    affine[:3, 3] = 0.3 * SPACING
    affine[2, 3] += 2 * SPACING  # without the two lowest slices
    images = {
        name: ndimage.shift(person(n), [-0.3] * 3, order=1)[2:] for name, n in (("sub-30", 30), ("sub-31", 31), ("sub-99", 4))
    }
    other = tmp_path / "other.h5"
    made = [
        Sample(name, "patient", image.astype(np.float32), image > 0, np.zeros(image.shape, bool), {"subject": name})
        for name, image in images.items()
    ]
    write_pack(other, iter(made), affine=affine, modality="T1w", cohort="other", split="test")
    result, words = checked(tmp_path, [*clean, other])["No image in two splits", "T1w"]
    assert result == "AFFECTED" and "sub-04 (ixi train) and sub-99 (other test)" in words
    assert affected(tmp_path) == ["every number on other (T1w)"]


def test_no_images_pass(tmp_path) -> None:
    none = pack(tmp_path, "empty", "test", {})
    assert checked(tmp_path, [none])["One person, one split", "all"] == (
        "passed",
        "there is no image, and no number rests on one",
    )


def bank(folder: Path, masks: dict[str, str], name: str = "bank.h5", registered: bool = True) -> Path:
    """A bank of maps of these masks, names by digest; that of images without registration knows no way to MNI."""
    with h5py.File(folder / name, "w") as store:
        if registered:
            store.attrs["to_mni"] = PLACED
        for key, values in (("digest", ["", *masks]), ("source", ["perlin", *masks.values()])):
            store.create_dataset(key, data=values, dtype=h5py.string_dtype())
    return folder / name


# from the grid of the made-up people into the brain of MNI space
PLACED = np.eye(4)
PLACED[:3, 3] = (-66, -90, -60)


def implanted_table(folder: Path, *digests: str) -> Path:
    path = folder / "ixi-implanted" / "T1w" / "test.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"name": f"sub-10_lesion-0{number}", "source_digest": digest} for number, digest in enumerate(digests)]
    write_table(path, rows, ("name", "source_digest"))
    return path


def patients(folder: Path, cohort: str, split: str, *places: int, name: str = "sub-2") -> Path:
    """A pack of people with one lesion each, at a place along the first axis."""
    made = []
    for place in places:
        lesion = np.zeros_like(BRAIN)
        lesion[place : place + 6, 12:20, 12:22] = True
        image = person(60 + place + len(cohort)).astype(np.float32)
        made.append(Sample(f"{name}{place}", "patient", image, BRAIN, lesion, {"subject": f"{name}{place}"}))
    path = folder / cohort / "T1w" / f"{split}.h5"
    write_pack(path, iter(made), affine=np.diag([SPACING] * 3 + [1.0]), modality="T1w", cohort=cohort, split=split)
    return path


def test_masks_of_bank_and_implanted_test_sets_are_counted(tmp_path, clean) -> None:
    found = checked(
        # as text, as the workflow names files
        tmp_path,
        clean,
        banks=(str(bank(tmp_path, {"a": "one", "b": "two"})),),
        tables=(str(implanted_table(tmp_path, "c", "")),),
    )
    assert found["Lesion masks", "bank and implanted test sets"] == (
        "passed",
        "2 masks in the bank, 1 in test sets; none in both",
    )


def test_mask_behind_the_bank_and_an_implanted_test_set_ends_the_run(tmp_path, clean) -> None:
    banks, tables = (bank(tmp_path, {"a": "one", "b": "two"}),), (implanted_table(tmp_path, "b", "c"),)
    with pytest.raises(
        UserError, match=r"1 lesion mask shaped lesions to train on and lesions of a test set: two \(sub-10_lesion-00"
    ):
        checked(tmp_path, clean, banks=banks, tables=tables)


def test_masks_of_the_bank_that_are_those_of_test_patients_end_the_run(tmp_path, clean) -> None:
    """Also resampled and under another name; the rest of the folder may be the cohort's, as long as the bank does not hold it."""
    ill = patients(tmp_path, "ms", "test", 8)
    with Pack(ill) as opened:
        lesion, affine = opened.lesion(0).transpose(2, 1, 0), PLACED @ opened.affine
    fine = np.kron(lesion.astype(np.uint8), np.ones((2, 2, 2), dtype=np.uint8))
    half = np.diag([SPACING / 2] * 3 + [1.0])
    half[:3, 3] = affine[:3, 3] - SPACING / 4
    (tmp_path / "shapes").mkdir()
    nib.save(nib.Nifti1Image(fine, half), tmp_path / "shapes" / "copy.nii.gz")
    digest = read_folder(tmp_path / "shapes")[0].digest
    setup = {"lesion_masks": str(tmp_path / "shapes"), "learns_shapes": ["conddiff"]}
    with pytest.raises(UserError, match=r"copy and sub-28 \(ms test\)\); take them out of anomalies\.lesion_masks"):
        checked(tmp_path, [*clean[:3], ill], banks=(bank(tmp_path, {digest: "copy"}),), **setup)
    first = bank(tmp_path, {}, "slices.h5", registered=False)
    with pytest.raises(UserError, match="copy and sub-28"):
        checked(tmp_path, [*clean[:3], ill], banks=(first, bank(tmp_path, {digest: "copy"})), **setup)
    found = checked(tmp_path, [*clean[:3], ill], banks=(bank(tmp_path, {"other": "gone"}),), **setup)
    assert found["Lesion masks", "patients"][0] == "passed"


def test_banks_of_images_without_registration_are_enough(tmp_path, clean) -> None:
    found = checked(tmp_path, clean, banks=(bank(tmp_path, {"a": "one"}, registered=False),))
    assert found["Lesion masks", "patients"][0] == "passed"


def test_lesion_of_a_validation_patient_under_another_name_in_the_test_set_ends_the_run(tmp_path, clean) -> None:
    packs = [*clean[:3], patients(tmp_path, "ms", "validation", 4, 20), patients(tmp_path, "new", "test", 12, 20, name="sub-9")]
    with pytest.raises(UserError, match=r"sub-220 \(ms validation\) and sub-920 \(new test\)"):
        checked(tmp_path, packs)


def test_one_subject_alone(tmp_path) -> None:
    found = checked(tmp_path, [pack(tmp_path, "ms", "test", people(1))])
    assert found["No image in two splits", "T1w"] == ("passed", "no two above 0.15")
