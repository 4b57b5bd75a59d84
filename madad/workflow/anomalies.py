"""What the rules of synthetic lesions read, and what makes them run again."""

from __future__ import annotations

from madad.configuration import sequences
from madad.configuration.pipelines import UNREGISTERED
from madad.workflow import parameters, paths
from madad.workflow.parameters import as_json
from madad.workflow.plan import Plan
from madad.workflow.preprocessing import template_grid


def banks(plan: Plan, pipeline: str) -> list[str]:
    """Return the shards of the bank of a pipeline's template grid."""
    return paths.bank(pipeline, shards(plan))


def bank_pack(plan: Plan, pipeline: str) -> list[str]:
    """Return the training images whose brains a bank fills, where the pipeline registers to no template; else nothing."""
    if plan.config["pipelines"][pipeline]["registration"] != UNREGISTERED:
        return []
    cohort = next(name for name in plan.config["train_on"] if plan.pipeline_of(name) == pipeline)
    modality = next(one for one in plan.sequences if one in sequences.of(plan.config, cohort))
    return [paths.pack(cohort, modality, "train")]


def shards(plan: Plan) -> int:
    """Return the number of jobs that make a bank; whoever reads it reads all of them."""
    return plan.config["anomalies"]["bank"]["shards"]


def lesion_masks(plan: Plan) -> str:
    """Return a text that changes with the real lesion masks; as inputs, hundreds of masks would flood the log."""
    folder = plan.config["anomalies"]["lesion_masks"]
    return parameters.contents(sorted(parameters.images(folder))) if folder else "shapes are made here"


def newest_mask(plan: Plan) -> list[str]:
    """Return the real lesion mask that changed last, or nothing without such masks."""
    folder = plan.config["anomalies"]["lesion_masks"]
    return parameters.newest(parameters.images(folder)) if folder else []


def bank_options(plan: Plan, pipeline: str) -> str:
    """Return the generator, size and seed of the bank, and the grid of a pipeline; the number of shards is left out."""
    bank = {key: value for key, value in plan.config["anomalies"]["bank"].items() if key != "shards"}
    return as_json({**plan.config["anomalies"], "bank": bank, "grid": template_grid(plan, pipeline)})


def implant_options(plan: Plan, cohort: str) -> str:
    """Return the sizes and strengths of implanted lesions, the generator and the grid; the bank is left out."""
    generator = {key: value for key, value in plan.config["anomalies"].items() if key != "bank"}
    grid = template_grid(plan, plan.pipeline_of(cohort))
    return as_json({**plan.config["implanted"], "generator": generator, "grid": grid})
