"""Cohorts with different sequences in one run."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from madad.configuration import cards, experiments, schema, sequences, settings
from madad.core.errors import UserError

DEFAULT = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text())


def study(root: Path, *suffixes: str) -> dict:
    """A BIDS cohort of one subject, of empty files."""
    anat = root / "sub-01" / "anat"
    anat.mkdir(parents=True)
    for suffix in suffixes:
        (anat / f"sub-01_{suffix}.nii.gz").write_bytes(b"")
    return {"kind": "bids", "root": str(root)}


def resolved(cohorts: dict, train_on: list[str], test_on: list[str], modalities: list[str], **more: object) -> dict:
    changes = {"cohorts": cohorts, "train_on": train_on, "test_on": test_on, "modalities": modalities, **more}
    return settings.resolve(schema.merge(copy.deepcopy(DEFAULT), {"methods": ["intensity"], **changes}))


def pairs(config: dict) -> set[tuple[str, str, str]]:
    return {(run["cohort"], run["modality"], run["testset"]) for run in settings.evaluations(config)}


def test_each_pair_uses_what_both_have(tmp_path: Path) -> None:
    cohorts = {
        "healthy": study(tmp_path / "a", "T1w", "T2w", "PDw"),
        "heads": study(tmp_path / "b", "T1w", "T2starw"),
        "ms": study(tmp_path / "c", "FLAIR", "T1w", "T2w", "ce-gd_T1w"),
        "strokes": study(tmp_path / "d", "T1w"),
    }
    config = resolved(cohorts, ["healthy", "heads"], ["ms", "strokes"], ["FLAIR", "T1w", "T2w", "T1ce"])
    assert pairs(config) == {
        ("healthy", "T1w", "ms"),
        ("healthy", "T2w", "ms"),
        ("healthy", "T1w", "strokes"),
        ("heads", "T1w", "ms"),
        ("heads", "T1w", "strokes"),
    }
    assert sequences.of(config, "ms") == ["FLAIR", "T1w", "T2w", "T1ce"] and sequences.of(config, "heads") == ["T1w"]
    said = list(sequences.left_out(config, ["healthy", "ms"]))
    assert said == [
        "healthy: takes part with T1w, T2w; it has no FLAIR, T1ce",
        "ms: nothing is trained on FLAIR, T1ce, so nothing is tested on it",
    ]


def test_intensities_are_fitted_where_the_sequence_is(tmp_path: Path) -> None:
    cohorts = {"first": study(tmp_path / "a", "T1w"), "second": study(tmp_path / "b", "T1w", "T2w")}
    config = resolved(cohorts, ["first", "second"], ["second"], ["T1w", "T2w"])
    found = [sequences.reference(config, "standard", modality) for modality in ("T1w", "T2w", "FLAIR")]
    assert found == ["first", "second", None]


@pytest.mark.parametrize("modality", ["PDw", "T1ce", "T2starw", "UNIT1"])
def test_every_sequence_runs_with_every_general_method(tmp_path: Path, modality: str) -> None:
    general = [name for name in cards.names() if not cards.load(name)["modalities"]]
    assert len(general) > 20
    config = resolved({"a": study(tmp_path, modality)}, ["a"], ["a"], [modality], methods=general, method_options={})
    assert {run["method"] for run in experiments.runs(config, "methods")} == set(general)
    assert {run["modality"] for run in experiments.runs(config, "parts")} <= {modality}


def test_a_sequence_can_be_left_unused(tmp_path: Path) -> None:
    cohorts = {"a": {**study(tmp_path / "a", "T1w", "T2w"), "modalities": ["T2w"]}, "b": study(tmp_path / "b", "T1w", "T2w")}
    config = resolved(cohorts, ["a", "b"], ["b"], ["T1w", "T2w"])
    assert pairs(config) == {("a", "T2w", "b"), ("b", "T1w", "b"), ("b", "T2w", "b")}


def test_where_names_tell_nothing_the_reader_decides(tmp_path: Path) -> None:
    assert pairs(resolved({"a": study(tmp_path, "bold")}, ["a"], ["a"], ["T1w"])) == {("a", "T1w", "a")}


@pytest.mark.parametrize(
    ("mine", "theirs", "says"),
    [
        (["T1w"], ["FLAIR"], "test_on: theirs (FLAIR) shares no sequence with mine: T1w; leave it out"),
        (["T1w"], ["FLAIR"], "train_on: mine (T1w) shares no sequence with theirs: FLAIR; leave it out"),
        (["T1w"], ["T1w"], "modalities: no cohort in use has FLAIR (they have mine: T1w; theirs: T1w)"),
    ],
)
def test_cohorts_without_a_common_sequence_are_refused(tmp_path: Path, mine: list[str], theirs: list[str], says: str) -> None:
    cohorts = {"mine": study(tmp_path / "a", *mine), "theirs": study(tmp_path / "b", *theirs)}
    with pytest.raises(UserError) as caught:
        resolved(cohorts, ["mine"], ["theirs"], ["T1w", "FLAIR"])
    assert says in str(caught.value)


def test_a_method_made_for_a_sequence_runs_with_that_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = cards._load
    monkeypatch.setattr(cards, "_load", lambda name: {**load(name), "modalities": ["FLAIR"] if name == "intensity" else []})
    config = resolved({"a": study(tmp_path, "FLAIR", "T1w")}, ["a"], ["a"], ["FLAIR", "T1w"], methods=["intensity", "constant"])
    assert {(run["method"], run["modality"]) for run in experiments.runs(config, "methods")} == {
        ("intensity", "FLAIR"),
        ("constant", "FLAIR"),
        ("constant", "T1w"),
    }
