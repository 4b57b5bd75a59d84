"""What makes a cohort be fetched or listed again, and what does not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from madad.core.provenance import import_closure
from madad.data.cohorts.finding import contents
from madad.workflow import cohorts, paths
from madad.workflow.plan import Plan
from tests.workflow_inputs.conftest import planned, touch


def phantom(**options: object) -> Plan:
    return planned(cohorts={"phantom": {"kind": "phantom", **options}})


def study(root: Path, **options: object) -> Plan:
    touch([str(root / "sub-01/anat/sub-01_FLAIR.nii.gz")])
    return planned(cohorts={"study": {"kind": "bids", "root": str(root), **options}}, train_on=["study"], test_on=["study"])


def downloaded(modality: str = "T2w", **options: object) -> Plan:
    ixi = {"kind": "ixi", "download": True, **options}
    return planned(cohorts={"ixi": ixi}, train_on=["ixi"], test_on=["ixi-implanted"], modalities=[modality])


@pytest.mark.parametrize("options", [{"seed": 5}, {"healthy": 20}, {"patients": 7}])
def test_what_decides_the_manifest_changes_its_options(options: dict) -> None:
    assert cohorts.options(phantom(**options), "phantom") != cohorts.options(phantom(), "phantom")


@pytest.mark.parametrize("options", [{"shards": 5}, {"skull_strip": "none"}])
def test_what_only_later_rules_read_does_not(options: dict) -> None:
    assert cohorts.options(phantom(**options), "phantom") == cohorts.options(phantom(), "phantom")


def test_other_cohorts_and_methods_do_not() -> None:
    other = planned(cohorts={"second": {"kind": "phantom", "seed": 5}}, methods=["constant"], test_on=["phantom", "second"])
    assert cohorts.options(other, "phantom") == cohorts.options(planned(), "phantom")


def test_sequences_are_listed() -> None:
    plan = planned(cohorts={"phantom": {"kind": "phantom", "modalities": ["FLAIR", "T1w"]}}, modalities=["T1w", "FLAIR"])
    assert json.loads(cohorts.modalities(plan, "phantom")) == ["T1w", "FLAIR"]


def reading(plan: Plan) -> str:
    """A reading that no earlier one of this process hides."""
    cohorts._found.cache_clear()
    cohorts._text.cache_clear()
    return cohorts.reading(plan, "study")


MASK = "derivatives/m/sub-01/anat/sub-01_label-lesion_mask.nii.gz"


@pytest.mark.parametrize("name", ["sub-02/anat/sub-02_FLAIR.nii.gz", MASK, "sub-01/anat/sub-01_FLAIR.nii.gz"])
def test_an_image_or_mask_that_is_read_changes_the_reading(tmp_path: Path, name: str) -> None:
    plan = study(tmp_path)
    before = reading(plan)
    assert reading(plan) == before
    touch([str(tmp_path / name)])
    (tmp_path / name).write_bytes(b"other")
    assert reading(plan) != before


@pytest.mark.parametrize(
    "name", ["README", "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/func/sub-01_bold.nii.gz", "derivatives/x.nii"]
)
def test_a_file_that_is_not_read_does_not_change_the_reading(tmp_path: Path, name: str) -> None:
    plan = study(tmp_path)
    before = reading(plan)
    touch([str(tmp_path / name)])
    assert reading(plan) == before


def test_what_the_table_says_counts_and_its_other_columns_do_not(tmp_path: Path) -> None:
    plan, table = study(tmp_path), tmp_path / "participants.tsv"
    table.write_text("participant_id\tgroup\nsub-01\tcontrol\n")
    before = reading(plan)
    table.write_text("participant_id\tgroup\tshoe\nsub-01\tcontrol\t42\n")
    assert reading(plan) == before
    table.write_text("participant_id\tgroup\nsub-01\tpatient\n")
    assert reading(plan) != before


def read_once(plan: Plan) -> str:
    """What the job that lists the cohort does: it records what the files hold under the text of its parameters."""
    text = reading(plan)
    contents.write(Path(paths.cohort_folder("study")), text, cohorts._found(*cohorts._seen(plan, "study")))
    return text


def test_another_time_of_an_image_changes_nothing_and_other_bytes_do(elsewhere: Path) -> None:
    plan, image = study(elsewhere / "data"), elsewhere / "data/sub-01/anat/sub-01_FLAIR.nii.gz"
    image.write_bytes(b"one")
    text = read_once(plan)
    os.utime(image, (5, 5))
    assert reading(plan) == text
    image.write_bytes(b"two")
    assert reading(plan) != text
    image.write_bytes(b"one")
    assert reading(plan) == text


def test_a_file_that_comes_or_goes_changes_the_reading(elsewhere: Path) -> None:
    plan, second = study(elsewhere / "data"), elsewhere / "data/sub-02/anat/sub-02_FLAIR.nii.gz"
    text = read_once(plan)
    touch([str(second)])
    assert reading(plan) != text
    second.unlink()
    assert reading(plan) == text


def test_without_a_record_times_decide(elsewhere: Path) -> None:
    plan, image = study(elsewhere / "data"), elsewhere / "data/sub-01/anat/sub-01_FLAIR.nii.gz"
    text, record = read_once(plan), Path(paths.cohort_folder("study")) / contents.NAME
    for broken in ("[]", "{}", "no JSON"):
        record.write_text(broken)
        assert reading(plan) == text
    record.unlink()
    os.utime(image, (5, 5))
    assert reading(plan) != text


def test_files_that_were_touched_are_opened_once(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, image = study(elsewhere / "data"), elsewhere / "data/sub-01/anat/sub-01_FLAIR.nii.gz"
    text = read_once(plan)
    os.utime(image, (5, 5))
    reading(plan)
    cohorts.refresh(plan)
    monkeypatch.setattr(contents, "file_hash", lambda path: pytest.fail(f"{path} is opened"))
    assert reading(plan) == text


def test_both_files_of_an_image_count(elsewhere: Path) -> None:
    plan, pair = study(elsewhere / "data"), elsewhere / "data/sub-02/anat/sub-02_FLAIR.hdr"
    touch([str(pair), str(pair.with_suffix(".img"))])
    text = read_once(plan)
    pair.with_suffix(".img").write_bytes(b"voxels")
    assert reading(plan) != text


def test_the_file_that_changed_last_is_an_input(tmp_path: Path) -> None:
    plan, table, image = study(tmp_path), tmp_path / "participants.tsv", tmp_path / "sub-01/anat/sub-01_FLAIR.nii.gz"
    table.write_text("participant_id\tgroup\nsub-01\tcontrol\n")
    for newest, other in ((table, image), (image, table)):
        os.utime(other, (1, 1))
        os.utime(newest, (2, 2))
        cohorts._found.cache_clear()
        assert cohorts.newest(plan, "study") == [str(newest)]
    assert cohorts.newest(planned(), "phantom") == []


def test_what_is_made_or_downloaded_by_the_run_is_not_read() -> None:
    plan = downloaded()
    assert cohorts.reading(planned(), "phantom") == cohorts.reading(plan, "ixi") == "made here"
    assert cohorts.inputs(plan, "ixi") == ["results/downloads/ixi/download.json"] and cohorts.inputs(planned(), "phantom") == []


def test_download_depends_on_sequences_but_not_on_shards() -> None:
    def options(modality: str = "T2w", **others: object) -> str:
        return cohorts.download_options(downloaded(modality, **others), "ixi")

    assert options() != options("T1w") and options() != options(mirror="https://example.org")
    assert options() == options(shards=7)


def test_code_is_that_of_the_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(cohorts, "fingerprint", lambda *modules: asked.append(modules) or "")
    cohorts.code(planned(), "phantom")
    cohorts.code(study(tmp_path), "study")
    made, found = (import_closure(modules) for modules in asked)
    assert "madad.data.cohorts.phantom" in made and "madad.data.cohorts.bids" in made & found
    assert not {"madad.data.cohorts.phantom", "madad.data.cohorts.ixi"} & found


def test_only_many_phantoms_use_several_processes(tmp_path: Path) -> None:
    many = planned(cohorts={"phantom": {"kind": "phantom", "healthy": 400, "patients": 120}})
    assert cohorts.threads(many, "phantom") == cohorts.PHANTOM_THREADS
    assert cohorts.threads(planned(), "phantom") == cohorts.threads(study(tmp_path), "study") == 1
