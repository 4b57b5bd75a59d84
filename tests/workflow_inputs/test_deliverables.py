"""What the rows of the report are made of, for one configuration or another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from madad.reporting.deliverables.registry import DELIVERABLES
from madad.reporting.deliverables.row import Deliverable, figure
from madad.workflow import deliverables, paths
from tests.workflow_inputs.conftest import planned, touch

ROWS = {row.name: row for row in DELIVERABLES}
CORRUPTED = ["phantom", "phantom-implanted", "phantom-corrupted"]
BLOCK = {"cohort": "phantom", "modality": "FLAIR", "testset": "phantom"}


def pictures(files: list[str], start: str) -> list[str]:
    """Names of the PNG files that begin with a word, without folder and suffix."""
    return [Path(path).stem for path in files if Path(path).name.startswith(start) and path.endswith(".png")]


@pytest.mark.parametrize(
    ("table", "used"),
    [
        (deliverables.INPUTS, [name for row in DELIVERABLES for name in row.inputs]),
        (deliverables.OPTIONS, [name for row in DELIVERABLES for name in row.options]),
        (deliverables.WATCHED, [name for row in DELIVERABLES for name in row.watched]),
        (deliverables.EACH, [row.each for row in DELIVERABLES if row.each is not None]),
    ],
)
def test_every_name_of_a_row_is_known_and_none_is_left_over(table: dict, used: list[str]) -> None:
    assert set(table) == set(used)


@pytest.mark.parametrize("row", DELIVERABLES, ids=lambda row: row.name)
def test_rules_with_wildcards_have_functions_of_them(row: Deliverable) -> None:
    plan = planned(test_on=CORRUPTED)
    known = {**BLOCK, "method": "ddpm"}
    values = {name: known[name] for name in row.wildcards}
    arguments = deliverables.arguments_of(plan, row)
    for name, files in deliverables.inputs_of(plan, row).items():
        assert callable(files) == bool(row.wildcards)
        found = files(values) if callable(files) else files
        assert found or name in ("derivation_tables", "learnt_banks")
        assert all(path.startswith("results/") and "{" not in path for path in ([found] if isinstance(found, str) else found))
    assert set(arguments(values) if callable(arguments) else arguments) == set(row.options)


def test_the_report_shows_what_the_configuration_asks_for() -> None:
    plain, corrupted = deliverables.targets(planned()), deliverables.targets(planned(test_on=CORRUPTED))
    assert len(plain) == len(set(plain)) and not pictures(plain, "robustness") and not pictures(plain, "noise")
    assert {"results/tables/headline.csv", "results/figures/froc.png", "results/quality/index.html"} <= set(plain)
    assert sorted(pictures(plain, "gallery")) == [
        f"gallery_phantom_FLAIR_{testset}--{method}"
        for testset in ("phantom", "phantom-implanted")
        for method in ("ddpm", "intensity")
    ]
    assert pictures(corrupted, "robustness") == ["robustness_phantom_FLAIR_phantom-corrupted"]
    assert pictures(corrupted, "corruptions") == ["corruptions_phantom_FLAIR"]
    assert pictures(corrupted, "gallery") == pictures(plain, "gallery"), "corrupted test sets have no gallery"
    fine = {"base": "dae", "parameters": {"noise_resolution": 32}}
    noisy = deliverables.targets(planned(methods=["dae", "fine"], method_options={"fine": fine}))
    assert pictures(noisy, "noise") == ["noise_study", "noise_kinds_phantom_FLAIR"]


def test_what_only_other_rules_read_is_no_target() -> None:
    plan = planned(test_on=CORRUPTED)
    steps = [row for row in DELIVERABLES if row.each is None]
    assert {"collect", "summarise", "samples"} <= {row.name for row in steps}
    assert not any(deliverables.targets_of(plan, row) for row in steps)


def test_galleries_show_the_lowest_seed() -> None:
    plan = planned(seeds=[3, 2])
    files = deliverables.inputs_of(plan, ROWS["gallery"])
    assert files["maps"]({**BLOCK, "method": "ddpm"}) == "results/runs/phantom/FLAIR/ddpm/seed2/eval/phantom/maps.h5"
    both = deliverables.inputs_of(plan, ROWS["side_by_side"])["method_tables"](BLOCK)
    assert both == [f"results/runs/phantom/FLAIR/{run}/eval/phantom/metrics.tsv" for run in ("intensity/seed3", "ddpm/seed2")]
    assert deliverables.arguments_of(plan, ROWS["mean_maps"])(BLOCK) == {"methods": ["intensity", "ddpm"], **BLOCK}


def test_costs_count_parts_and_the_headline_does_not() -> None:
    plan = planned(methods=["mhd"])
    assert len(deliverables.inputs_of(plan, ROWS["headline"])["trainings"]) == 1
    assert len(deliverables.inputs_of(plan, ROWS["cost"])["all_trainings"]) == 2
    assert deliverables.arguments_of(plan, ROWS["cost"]) == {"bases": {"mhd": "mhd"}, "all_parts": {"mhd": ["cddpm"]}}


def test_partial_reads_what_is_there_and_starts_nothing(elsewhere: Path) -> None:
    touch([paths.quality_table("phantom", "standard")])
    plan = planned(partial=True)
    assert deliverables.inputs_of(plan, ROWS["quality"]) == {"judged": ["results/quality/phantom/standard.tsv"], "excluded": []}
    assert deliverables.inputs_of(plan, ROWS["leakage"])["used_packs"] == []
    assert not pictures(deliverables.targets(plan), "synthetic_lesions")
    touch(["results/figures/synthetic_lesions_phantom_FLAIR.png"])
    assert pictures(deliverables.targets(plan), "synthetic_lesions") == ["synthetic_lesions_phantom_FLAIR"]


def test_the_ledger_runs_again_for_a_paper_or_a_card() -> None:
    one, other = (deliverables.watched_by(planned(methods=names), ROWS["ledger"]) for names in (["ddpm"], ["ddpm", "intensity"]))
    assert set(one) == {"papers", "cards"} and one["papers"] == other["papers"] and one["cards"] != other["cards"]
    assert deliverables.watched_by(planned(), ROWS["headline"]) == {}


def test_outputs_with_labels_are_shown_in_the_report() -> None:
    outputs = deliverables.outputs_of(ROWS["froc"], lambda path, **shown: (path, shown), {"Detection": "3 Detection"})
    assert outputs["pdf"] == "results/figures/froc.pdf"
    path, shown = outputs["png"]
    assert path == "results/figures/froc.png" and shown["caption"] == "../report/froc.rst"
    assert shown["category"] == "3 Detection" and shown["labels"]["Result"] == "FROC"


def test_sections_are_numbered_without_holes() -> None:
    titles = list(deliverables.sections_of(planned(methods=["intensity"])).values())
    assert titles[:5] == ["1 Headline", "2 Tables", "3 Detection", "4 Statistics", "5 Anomaly maps"], "nothing is corrupted"
    assert [title.split()[0] for title in titles] == [str(number) for number in range(1, len(titles) + 1)]


def test_a_caption_is_optional() -> None:
    row = Deliverable("bare", "No caption.", "m:f", (), figure("bare", {"Result": "Bare"}), section="Statistics")
    _, shown = deliverables.outputs_of(row, lambda path, **shown: (path, shown), {})["png"]
    assert shown["caption"] is None


ORDER = """
import json
from pathlib import Path
import yaml
from madad.configuration import settings
from madad.reporting.deliverables.registry import DELIVERABLES
from madad.workflow import deliverables
from madad.workflow.plan import Plan
plan = Plan.of(settings.resolve(yaml.safe_load(Path("config.yaml").read_text())))
for row in DELIVERABLES:
    for run in deliverables.EACH[row.each or "run"](plan):
        wildcards = {name: {**plan.first_seeds()[0], **run}[name] for name in row.wildcards}
        values = [deliverables.INPUTS[name](plan, wildcards) for name in row.inputs]
        print(row.name, json.dumps([values, [deliverables.OPTIONS[name](plan, wildcards) for name in row.options]]))
"""


def test_inputs_and_options_have_one_order() -> None:
    """A set of names has another order in every process: jobs would run again, and what reads the first of them would differ."""
    root = Path(__file__).resolve().parents[2]
    said = [
        subprocess.run(
            [sys.executable, "-c", ORDER],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(root)},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    ]
    assert said[0].count("\n") > len(DELIVERABLES) and len(set(said)) == 1
