"""Which rules make what of a method whose maps come from elsewhere, and what makes them run again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from madad.workflow import exchange, patterns
from madad.workflow.plan import Plan
from tests.workflow_inputs.conftest import planned, touch

RUN = {"cohort": "phantom", "modality": "FLAIR", "method": "theirs", "seed": "0", "testset": "phantom"}


@pytest.fixture
def folder(elsewhere: Path) -> Path:
    touch(["maps/phantom/sub-01.nii.gz"])
    return elsewhere / "maps"


def plan_of(space: str = "template", folder: str = "maps/{testset}") -> Plan:
    parameters = {"folder": folder, "space": space}
    return planned(
        methods=["intensity", "theirs"],
        test_on=["phantom"],
        method_options={"theirs": {"base": "given_maps", "parameters": parameters}},
    )


def test_it_is_not_trained(folder: Path) -> None:
    plan = plan_of()
    assert plan.elsewhere == ["theirs"] and re.fullmatch(patterns.elsewhere(plan), "theirs")
    assert not re.fullmatch(patterns.trained(plan), "theirs") and re.fullmatch(patterns.trained(plan), "intensity")
    assert not re.fullmatch(patterns.elsewhere(planned()), "intensity")


def test_a_changed_map_is_read_again(folder: Path) -> None:
    from madad.workflow import parameters

    parameters.listing.cache_clear()
    before = exchange.files(plan_of(), RUN)
    touch(["maps/phantom/sub-02.nii.gz"])
    parameters.listing.cache_clear()
    assert exchange.files(plan_of(), RUN) != before


def test_only_native_maps_need_the_table_of_the_images(folder: Path) -> None:
    assert exchange.native_tables(plan_of(), "theirs", "phantom") == []
    assert exchange.native_tables(plan_of("native"), "theirs", "phantom") == [
        f"results/selected/phantom/standard/{split}.tsv" for split in ("validation", "test")
    ]


def test_code_is_that_of_the_reader(folder: Path) -> None:
    assert exchange.code(plan_of(), "theirs") == exchange.code(plan_of(folder="maps"), "theirs")
