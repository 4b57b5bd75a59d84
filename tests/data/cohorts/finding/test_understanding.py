"""A run that needs healthy subjects stops where none are known, with one list that says what settles it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.cli.main import main
from madad.configuration import settings
from madad.core.errors import UserError
from madad.data.cohorts.finding import summary, understanding
from tests.data.cohorts.small_cohorts import READ, t1w, write_image

Root = Callable[..., Path]
MASKS = [f"derivatives/lesions/sub-0{number}/anat/sub-0{number}_label-lesion_mask.nii.gz" for number in (1, 2)]
CONTROLS = "participant_id\tgroup\n" + "".join(f"sub-0{number}\tcontrol\n" for number in (3, 4))


def checked(cohorts: dict, train_on: list[str], test_on: list[str], method: str = "atlas_z") -> None:
    """Check a configuration as a run does before its first job."""
    config = settings.resolve(
        {
            "cohorts": cohorts,
            "train_on": train_on,
            "test_on": test_on,
            "modalities": ["T1w"],
            "preset": "smoke",
            "methods": [method],
        }
    )
    understanding.check(understanding.understand(config, "names"), understanding.needs(config))


def study(root: Path, **options: object) -> dict:
    return {"study": {"kind": "bids", "root": str(root), **options}}


def test_a_run_without_known_healthy_subjects_stops_with_one_list(bids_root: Root) -> None:
    root = bids_root(*t1w("01", "02", "03", "04"), *MASKS)
    with pytest.raises(UserError) as caught:
        checked(study(root), ["study"], ["study"])
    said = str(caught.value)
    assert "2 of 4 subjects of study are of unknown group" in said and "(sub-03, sub-04)" in said
    assert "`cohorts.study.group: by_mask`" in said


def test_without_any_patient_the_line_is_another(bids_root: Root) -> None:
    with pytest.raises(UserError, match=r"`cohorts\.study\.group: healthy`"):
        checked(study(bids_root(*t1w("01", "02"))), ["study"], ["study-implanted"])


def test_a_column_that_is_not_understood_is_settled_by_its_words(bids_root: Root) -> None:
    root = bids_root(*t1w("01", "02"), participants="participant_id\tgroup\nsub-01\tA\nsub-02\tB\n")
    with pytest.raises(UserError, match=r"`cohorts\.study\.healthy_values: \[\.\.\.\]`"):
        checked(study(root), ["study"], ["study"])
    checked(study(root, healthy_values=["A"]), ["study"], ["study"])


@pytest.mark.parametrize("options", [{"group": "by_mask"}, {"group": "healthy"}])
def test_the_line_settles_it(bids_root: Root, options: dict) -> None:
    checked(study(bids_root(*t1w("01", "02", "03", "04"), *MASKS), **options), ["study"], ["study"])


def test_unknown_subjects_that_are_not_needed_stop_nothing(bids_root: Root) -> None:
    root = bids_root(*t1w("01", "02", "03", "04", "05"), *MASKS, participants=CONTROLS)
    checked(study(root), ["study"], ["study"])
    phantoms = {"phantom": {"kind": "phantom", "modalities": ["T1w"]}}
    checked({**phantoms, **study(bids_root(*t1w("06")))}, ["phantom"], ["study"])


def test_unlabelled_subjects_are_tested_on_without_being_known(bids_root: Root) -> None:
    phantoms = {"phantom": {"kind": "phantom", "modalities": ["T1w"]}}
    root = bids_root(*t1w("06", "07"))
    checked({**phantoms, **study(root, group="unlabelled")}, ["phantom"], ["study"])
    with pytest.raises(UserError, match="are of unknown group"):
        checked({**phantoms, **study(root, group="unlabelled")}, ["study"], ["study"])
    found = understanding.read_cohort("bids", root, READ | {"group": "unlabelled"}, ["T1w"])
    told = summary.lines("study", summary.facts(found, root, "bids", "unlabelled"))
    assert any("2 unknown: group: unlabelled" in line for line in told) and any("get maps and scores" in line for line in told)


def test_a_test_set_of_unknown_subjects_alone_stops_the_run(bids_root: Root) -> None:
    cohorts = {"phantom": {"kind": "phantom", "modalities": ["T1w"]}, **study(bids_root(*t1w("06")))}
    with pytest.raises(UserError, match="1 of 1 subjects of study"):
        checked(cohorts, ["phantom"], ["study"])


def test_training_on_patients_alone_is_refused(bids_root: Root) -> None:
    with pytest.raises(UserError, match="study has 2 patients and nobody who is known to be healthy"):
        checked(study(bids_root(*t1w("01", "02"), *MASKS)), ["study"], ["study"])


def test_methods_that_learn_nothing_need_nobody_healthy(bids_root: Root) -> None:
    root = bids_root(*t1w("01", "02", "03"), *MASKS)
    checked(study(root), ["study"], ["study"], method="intensity")
    with pytest.raises(UserError, match="1 of 3 subjects of study"):
        checked(study(root), ["study"], ["study", "study-implanted"], method="intensity")


def test_a_cohort_that_cannot_be_read_stops_the_run(bids_root: Root) -> None:
    with pytest.raises(UserError, match="no column participant_id"):
        checked(study(bids_root(*t1w("01"), participants="id\n01\n")), ["study"], ["study"])


def config_file(folder: Path, root: Path, group: str) -> str:
    text = f"cohorts: {{study: {{kind: bids, root: {root}, group: {group}}}}}\ntrain_on: [study]\ntest_on: [study]\n"
    (folder / "my.yaml").write_text(text + "modalities: [T1w]\npreset: smoke\nmethods: [atlas_z]\n")
    return str(folder / "my.yaml")


@pytest.mark.parametrize("arguments", [[], ["--names"]])
def test_the_command_shows_what_is_understood(bids_root: Root, capsys: pytest.CaptureFixture, arguments: list[str]) -> None:
    root = bids_root(*t1w("01", "02", "03", "04"), *MASKS)
    assert main(["cohort", config_file(root.parent, root, "by_mask"), *arguments]) == 0
    said = capsys.readouterr().out
    assert "cohort study: 4 subjects" in said and "2 healthy, 2 patients" in said
    assert "2 as derivatives/lesions/sub-*/anat/sub-*_label-lesion_mask.nii.gz" in said
    assert ("no image has been opened" in said) == bool(arguments)


def test_the_command_fails_where_the_run_would(bids_root: Root, capsys: pytest.CaptureFixture) -> None:
    root = bids_root(*t1w("01", "02"))
    assert main(["cohort", config_file(root.parent, root, "auto")]) == 1
    told = capsys.readouterr()
    assert "2 unknown" in told.out and "cohorts.study.group: healthy" in told.err


@pytest.mark.parametrize("content", [None, "- a list", "a: [", ""])
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, capsys: pytest.CaptureFixture, content: str | None) -> None:
    path = tmp_path / "my.yaml"
    if content is not None:
        path.write_text(content)
    assert main(["cohort", str(path)]) == 1
    assert f"error: {path}: " in capsys.readouterr().err


@pytest.mark.parametrize(("filled", "seen"), [(False, "healthy"), (True, "patient")])
def test_a_mask_that_is_not_opened_is_no_evidence_against_a_table(bids_root: Root, filled: bool, seen: str) -> None:
    root = bids_root(*t1w("01"), participants="participant_id\tgroup\nsub-01\tcontrol\n")
    mask = write_image(root / MASKS[0], 1)
    nib.save(nib.Nifti1Image(np.full((6, 7, 8), filled, np.uint8), np.eye(4)), mask)
    own = {"cohorts": study(root), "train_on": ["study"], "test_on": ["study"], "modalities": ["T1w"], "methods": ["atlas_z"]}
    config = settings.resolve({**own, "preset": "smoke"})
    found = {depth: understanding.understand(config, depth)["study"]["groups"] for depth in ("names", "files")}
    assert found["files"][seen] == ["sub-01"] and found["names"]["healthy"] == ["sub-01"]
