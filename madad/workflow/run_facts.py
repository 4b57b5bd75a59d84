"""What the configuration says of a run, for the tables and sentences of the report."""

from __future__ import annotations

from typing import Any

from madad.configuration import experiments, settings
from madad.workflow.paths import Run
from madad.workflow.plan import Plan

TRAIN_LOG = "results/logs/train/{cohort}/{modality}/{method}/seed{seed}.log"
INFER_LOG = "results/logs/infer/{cohort}/{modality}/{method}/seed{seed}/{testset}.log"


def run_facts(plan: Plan) -> dict[str, Any]:
    """Return the fields of `madad.reporting.story.story.Facts`."""
    config = plan.config
    return {
        **{key: config[key] for key in ("preset", "seeds", "train_on", "test_on", "modalities")},
        "kinds": {name: config["cohorts"][name]["kind"] for name in plan.cohorts},
        "missing": missing(plan),
    }


def missing(plan: Plan) -> list[dict[str, str]]:
    """Return the trainings and evaluations that a partial report lacks, with the log that says why; else nothing."""
    if not plan.config["partial"]:
        return []
    untrained = [run for kind in ("methods", "parts") for run in experiments.runs(plan.config, kind) if run not in plan.trainings]
    asked = [*settings.evaluations(plan.config), *settings.robustness(plan.config)]
    unscored = [run for run in asked if run not in plan.all_evaluations and _training(run) not in untrained]
    return [
        *({**run, "testset": "", "what": "not trained", "log": TRAIN_LOG.format(**run)} for run in untrained),
        *({**run, "what": "not scored", "log": INFER_LOG.format(**run)} for run in unscored),
    ]


def _training(evaluation: Run) -> dict[str, str]:
    return {key: value for key, value in evaluation.items() if key != "testset"}


def cohort_facts(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the public data set that a cohort is, if any, and the size of its voxels."""
    pipelines = plan.config["pipelines"]
    return {
        name: {
            "dataset": plan.config["cohorts"][name]["dataset"],
            "spacing_mm": pipelines[plan.pipeline_of(name)]["spacing_mm"],
        }
        for name in plan.cohorts
    }


def parameters(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the parameters of every method and part by sequence."""
    return {
        name: {modality: options["parameters"] for modality, options in entry["options"].items()}
        for name, entry in plan.entries.items()
    }


def leakage_setup(plan: Plan) -> dict[str, Any]:
    """Return the fields of `madad.reporting.tables.leakage.Setup`."""
    config = plan.config
    return {
        "tracks": plan.tracks,
        "test_on": config["test_on"],
        "roots": {name: config["cohorts"][name]["root"] for name in plan.cohorts if config["cohorts"][name].get("root")},
        "lesion_masks": config["anomalies"]["lesion_masks"],
        "learns_shapes": [name for name in plan.bases if plan.cards[name]["training_data"]["pairs"]],
    }
