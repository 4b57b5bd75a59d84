"""What makes a head be preprocessed or a split be packed again, and what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from madad.core.io.manifest import write_table
from madad.data.preprocessing import quality_columns
from madad.workflow import preprocessing
from madad.workflow.plan import Plan
from tests.workflow_inputs.conftest import planned, touch


def piped(**options: object) -> Plan:
    return planned(pipelines={"standard": options})


def options(plan: Plan) -> str:
    return preprocessing.options(plan, "phantom", "standard")


@pytest.mark.parametrize("changes", [{"spacing_mm": 3.5}, {"bias_field": "none"}, {"denoise": "curvature_flow"}])
def test_what_decides_the_images_changes_their_options(changes: dict) -> None:
    name = next(iter(changes))
    assert name in json.loads(options(planned())), "no option of a pipeline any more"
    assert options(piped(**changes)) != options(planned())


@pytest.mark.parametrize("changes", [{"intensity": {"method": "zscore"}}, {"reference": "phantom"}])
def test_normalisation_preprocesses_nothing_again(changes: dict) -> None:
    assert options(piped(**changes)) == options(planned())


def test_skull_stripping_of_the_cohort_counts_and_its_split_does_not() -> None:
    def changed(**cohort: object) -> str:
        return options(planned(cohorts={"phantom": {"kind": "phantom", **cohort}}))

    assert changed(skull_strip="none") != changed() == changed(shards=7) == changed(seed=3)


def test_intensity_depends_on_its_options_alone() -> None:
    plans = planned(), piped(intensity={"method": "zscore"}), piped(spacing_mm=3.5)
    same, other, spaced = (preprocessing.intensity_options(plan, "standard") for plan in plans)
    assert same == spaced != other


def test_a_template_that_is_replaced_changes_the_text(tmp_path: Path) -> None:
    template = tmp_path / "template.nii"
    template.write_bytes(b"one")
    plan = piped(template=str(template))
    before = preprocessing.template_files(plan, "standard")
    assert preprocessing.template_files(plan, "standard") == before
    template.write_bytes(b"another")
    assert preprocessing.template_files(plan, "standard") != before


def test_grid_is_the_template_its_spacing_and_shape() -> None:
    assert set(preprocessing.template_grid(planned(), "standard")) == {"template", "template_brain", "spacing_mm", "shape"}
    assert preprocessing.template_grid(piped(spacing_mm=3.5), "standard")["spacing_mm"] == 3.5


def test_intensities_are_fitted_on_the_reference_cohort() -> None:
    plan = planned(cohorts={"second": {"kind": "phantom", "seed": 5}}, train_on=["second"])
    assert preprocessing.reference_tables(plan, "standard", "FLAIR") == ["results/selected/second/standard/train.tsv"]
    assert preprocessing.quality_table(plan, "phantom") == "results/quality/phantom/standard.tsv"


@pytest.mark.parametrize("testset", ["phantom", "phantom-implanted", "phantom-implanted-corrupted"])
def test_test_sets_are_normalised_as_the_cohort_behind_them(testset: str) -> None:
    assert preprocessing.intensity_model(planned(), testset, "FLAIR") == "results/intensity/standard/FLAIR.json"


def test_corruption_depends_on_its_options() -> None:
    other = planned(corrupted={"samples": 3})
    assert preprocessing.corruption_options(planned()) != preprocessing.corruption_options(other)
    assert preprocessing.corruption_options(planned()) == preprocessing.corruption_options(planned(implanted={"per_subject": 2}))


def test_shards_are_those_of_the_cohort() -> None:
    assert preprocessing.shards(planned(cohorts={"phantom": {"kind": "phantom", "shards": 7}}), "phantom") == 7


SELECTED = [
    {"subject": "sub-01", "split": "train", "modality": "FLAIR", "status": "ok", "brain_volume_ml": "500"},
    {"subject": "sub-02", "split": "test", "modality": "FLAIR", "status": "failed"},
]


def excluded(**quality: object) -> Plan:
    return planned(cohorts={"phantom": {"kind": "phantom", "shards": 1}}, quality=quality)


def test_which_images_of_a_split_are_used_decides_and_not_by_which_limit(elsewhere: Path) -> None:
    (table,) = preprocessing.shard_tables(excluded(), "phantom")
    touch([table])
    write_table(table, SELECTED, quality_columns.COLUMNS)
    lax, strict, listed = (
        excluded(),
        excluded(limits={"brain_volume_ml": {"exclude": [600, None]}}),
        excluded(exclude={"phantom": ["sub-01"]}),
    )
    train = [json.loads(preprocessing.unused(plan, "phantom", "train")) for plan in (lax, strict, listed)]
    assert train == [[], [["sub-01", "FLAIR"]], [["sub-01", "FLAIR"]]]
    assert {preprocessing.unused(plan, "phantom", "test") for plan in (lax, strict, listed)} == {'[["sub-02", "FLAIR"]]'}


def test_without_tables_limits_and_lists_decide(elsewhere: Path) -> None:
    assert preprocessing.unused(excluded(), "phantom", "train") == preprocessing.selection_options(excluded(), "phantom")
    (table,) = preprocessing.shard_tables(excluded(), "phantom")
    touch([table])
    Path(table).write_text("subject\tsplit\nsub-01\n")
    assert preprocessing.unused(excluded(), "phantom", "train") == preprocessing.selection_options(excluded(), "phantom")
