"""Methods whose maps are made elsewhere: mistakes in their options are told before the first job."""

from __future__ import annotations

from pathlib import Path

import pytest

from madad.configuration import cards, settings
from madad.core.errors import UserError

CONFIG = {
    "preset": "smoke",
    "cohorts": {"phantom": {"kind": "phantom"}},
    "train_on": ["phantom"],
    "test_on": ["phantom-implanted"],
    "modalities": ["FLAIR"],
    "methods": ["theirs"],
}


def resolved(base: str, testset: str = "phantom-implanted", **parameters: str) -> dict:
    option = {"theirs": {"base": base, "parameters": parameters}}
    return settings.resolve({**CONFIG, "method_options": option, "test_on": [testset]})


def refusal(base: str, **parameters: str) -> str:
    with pytest.raises(UserError) as caught:
        resolved(base, **parameters)
    return str(caught.value)


def test_a_folder_of_maps_is_a_method_of_any_sequence(tmp_path: Path) -> None:
    mine = {"mine": {"kind": "bids", "root": str(tmp_path)}}
    option = {"base": "given_maps", "parameters": {"folder": str(tmp_path), "track": "supervised"}}
    changes = {"cohorts": mine, "train_on": ["mine"], "test_on": ["mine"], "modalities": ["PDw"]}
    entry = settings.resolve({**CONFIG, **changes, "method_options": {"theirs": option}})["methods"]["theirs"]
    assert entry["modalities"] == ["PDw"] and entry["track"] == "supervised" and not entry["seeded"]


def test_native_maps_of_a_cohort_are_accepted(tmp_path: Path) -> None:
    assert resolved("given_maps", "phantom", folder=str(tmp_path), space="native")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({}, "theirs.parameters.folder: is missing"),
        ({"folder": "/no/such"}, "there is no folder '/no/such'"),
        ({"folder": "/no/such/{testset}"}, "there is no folder '/no/such'"),
        ({"folder": ".", "file": "{subjekt}.nii.gz"}, "{subjekt} means nothing here; the fields are {name}"),
        ({"folder": "{name}"}, "{name} means nothing here"),
        ({"folder": ".", "file": "{name"}, "cannot be read"),
        ({"folder": ".", "space": "native"}, "the images of phantom-implanted exist on the template's grid alone"),
        ({"folder": ".", "space": "mni"}, "is not one of template, native"),
    ],
)
def test_a_folder_that_cannot_be_read_is_told(parameters: dict, says: str) -> None:
    assert says in refusal("given_maps", **parameters)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({}, "names no program"),
        ({"command": "run {input}"}, "has no {output}"),
        ({"command": "run '{input} {output}"}, "is not a command"),
        ({"command": "run {input} {output} {masks}"}, "{masks} means nothing here"),
    ],
)
def test_a_command_that_cannot_work_is_told(parameters: dict, says: str) -> None:
    assert says in refusal("program", **parameters)


def test_a_container_needs_no_command() -> None:
    assert resolved("program", container="theirs.sif")["methods"]["theirs"]["base"] == "program"


def test_maps_made_elsewhere_are_no_method_of_the_repository() -> None:
    assert not {"given_maps", "program"} & {*cards.names(), *cards.own_names()}
    assert cards.module("program") == "madad.data.exchange.program"
