"""Wildcards match the names of the configuration and no others."""

from __future__ import annotations

import re

import pytest

from madad.workflow import patterns
from tests.workflow_inputs.conftest import planned

LATE = {"late": {"base": "ddpm", "parameters": {"test_timesteps": [750]}}}


@pytest.mark.parametrize(
    ("wildcard", "name"),
    [
        ("cohort", "phantom"),
        ("testset", "phantom-implanted"),
        ("modality", "FLAIR"),
        ("method", "mhd"),
        ("method", "cddpm"),
        ("pipeline", "standard"),
        ("split", "validation"),
        ("seed", "12"),
        ("shard", "0"),
    ],
)
def test_wildcards_match_names_of_the_plan(wildcard: str, name: str) -> None:
    pattern = patterns.wildcards(planned(methods=["mhd"]))[wildcard]
    assert re.fullmatch(pattern, name) and not re.fullmatch(pattern, "other") and not re.fullmatch(pattern, "")


def test_a_variant_of_inference_is_not_trained() -> None:
    plan = planned(methods=["ddpm", "late"], method_options=LATE)
    assert re.fullmatch(patterns.trained(plan), "ddpm") and not re.fullmatch(patterns.trained(plan), "late")
    assert re.fullmatch(patterns.reused(plan), "late") and not re.fullmatch(patterns.reused(plan), "ddpm")


def test_without_variants_no_name_reuses_weights() -> None:
    assert not re.match(patterns.reused(planned()), "ddpm") and not re.match(patterns.reused(planned()), "")
