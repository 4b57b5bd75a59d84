"""The SLURM profile knows every rule: each shares a submission or is long enough for one of its own."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from madad.reporting.deliverables.registry import DELIVERABLES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "profiles/slurm"
PROFILE = yaml.safe_load((FOLDER / "profile.yaml").read_text())
TEXTS = [path.read_text() for path in sorted((ROOT / "rules").glob("*.smk"))]
WRITTEN = {name for text in TEXTS for name in re.findall(r"^(?:use rule \w+ as|rule) (\w+)", text, re.M)}
ROWS = {row.name: row.group for row in DELIVERABLES}
RULES = WRITTEN | set(ROWS)
# Minutes to days each; those of the second line run on Snakemake's own machine.
LONG = {"cohort", "preprocess", "bank", "train", "infer", "calibrate", "map_elsewhere", "calibrate_elsewhere"}
LONG |= {"download", "reuse", "nifti", "masks", "record_elsewhere"}


def test_every_rule_is_long_or_grouped() -> None:
    # The page of the report reads the record of provenance, so that this is in the group of the report as well.
    bringing = {*ROWS, "provenance"}
    grouped = {*PROFILE["groups"], *bringing}
    assert len(RULES) > 50
    assert not set(PROFILE["groups"]) & bringing, "rows of the report bring their group themselves"
    assert not grouped & LONG
    assert RULES - LONG - grouped == set(), "rules that are neither: add them to the groups of profiles/slurm/profile.yaml"


def test_profile_names_no_rule_that_is_gone() -> None:
    named = {*PROFILE["groups"], *PROFILE["set-resources"]}
    assert named <= RULES, "Snakemake says nothing of rules that do not exist"
    assert set(PROFILE["group-components"]) <= {*PROFILE["groups"].values(), *ROWS.values()}


@pytest.mark.parametrize(("gpu", "partition"), [(0, "cpu"), (1, "gpu")])
def test_partitions_are_told_apart_by_the_gpu(gpu: int, partition: str) -> None:
    partitions = pytest.importorskip("snakemake_executor_plugin_slurm.partitions")
    candidates = partitions.read_partition_file(FOLDER / "partitions.yaml")
    logger = SimpleNamespace(debug=print, info=print, warning=print)
    asked = {"mem_mb": 16000, "runtime": 720, "gpu": gpu}
    job = SimpleNamespace(
        name="train", threads=4, resources=SimpleNamespace(get=lambda key, default=None: asked.get(key, default))
    )
    assert partitions.get_best_partition(candidates, job, logger) == partition
