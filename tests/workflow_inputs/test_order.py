"""In which order jobs start that could start at the same time: an evaluation never waits for trainings that are not its own."""

from __future__ import annotations

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

from tests.workflow_inputs.rule_texts import ROOT

SCORING = ("evaluate", "ceilings", "evaluate_corrupted")


def test_evaluations_fit_beside_a_training_and_come_first() -> None:
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        loaded = api.workflow(
            resource_settings=ResourceSettings(cores=2),
            config_settings=ConfigSettings(config={"preset": "smoke"}),
            snakefile=ROOT / "Snakefile",
        )
        rules = {rule.name: rule for rule in loaded._workflow.rules}
    assert {rules[name].resources["_cores"].value for name in SCORING} == {1}
    priority = {name: rule.priority for name, rule in rules.items()}
    assert (
        priority["cohort"]
        == priority["preprocess"]
        == priority["pack"]
        > priority["infer"]
        == priority["evaluate"]
        > priority["train"]
        > priority["headline"]
    )
    assert {priority[name] for name in SCORING} == {priority["calibrate"]}
