"""What the rules from raw heads to packs read, and what makes them run again."""

from __future__ import annotations

import json
from pathlib import Path

from madad.configuration import sequences, settings
from madad.configuration.deciding_keys import decides
from madad.configuration.schema import Options
from madad.core.errors import UserError
from madad.core.io.manifest import image_name
from madad.workflow import parameters, paths
from madad.workflow.parameters import as_json
from madad.workflow.plan import Plan


def options(plan: Plan, cohort: str, pipeline: str) -> str:
    """Return the options of a pipeline that decide the images, and how the cohort's skulls are stripped."""
    complete = plan.config["pipelines"][pipeline].items()  # with the values of its base, whose name therefore decides nothing
    chain = {key: value for key, value in complete if key != "base" and decides(f"pipelines.*.{key}", "preprocess")}
    return as_json({**chain, **{key: plan.config["cohorts"][cohort][key] for key in ("skull_strip", "skull_strip_command")}})


def shards(plan: Plan, cohort: str) -> int:
    """Return the number of jobs that a cohort's preprocessing is divided into."""
    return plan.config["cohorts"][cohort]["shards"]


def template_files(plan: Plan, pipeline: str) -> str:
    """Return a text that changes with the files of a pipeline's template."""
    return parameters.contents(_templates(plan, pipeline))


def newest_template(plan: Plan, pipeline: str) -> list[str]:
    """Return the file of a pipeline's template that changed last; nothing for a template that a library brings."""
    return parameters.newest(_templates(plan, pipeline))


def _templates(plan: Plan, pipeline: str) -> list[str]:
    chain = plan.config["pipelines"][pipeline]
    return [chain[key] for key in ("template", "template_brain") if chain[key]]


def template_grid(plan: Plan, pipeline: str) -> Options:
    """Return the template of a pipeline and the grid that it is resampled to."""
    chain = plan.config["pipelines"][pipeline]
    return {key: chain[key] for key in ("template", "template_brain", "spacing_mm", "shape")}


def quality_table(plan: Plan, cohort: str) -> str:
    """Return the table of a cohort's images with their quality measures and verdicts."""
    return paths.quality_table(cohort, plan.pipeline_of(cohort))


def shard_tables(plan: Plan, cohort: str) -> list[str]:
    """Return the tables of the preprocessed shards of a cohort."""
    return paths.shard_tables(cohort, plan.pipeline_of(cohort), shards(plan, cohort))


def selected_table(plan: Plan, cohort: str, split: str) -> str:
    """Return the table of the images of a split that tells which of them are used."""
    return paths.selected_table(cohort, plan.pipeline_of(cohort), split)


def unused(plan: Plan, cohort: str, split: str) -> str:
    """Return which images of a split are not used, so that who is excluded from one split changes no other one.

    Without the tables of the preprocessed images, or where they lie in a storage, it is the text of all limits and lists.
    """
    from madad.data.preprocessing import quality_control  # numpy, which the first run can do without

    tables, chosen = [Path(plan.root + table) for table in shard_tables(plan, cohort)], selection_options(plan, cohort)
    try:
        rows = quality_control.selected(tables, json.loads(chosen), split)
    except UserError:  # the job that reads them reports it
        return chosen
    return as_json([(image_name(row), row["modality"]) for row in rows if row["verdict"] not in quality_control.USABLE])


def selection_options(plan: Plan, cohort: str) -> str:
    """Return what excludes images of a cohort; limits that only flag are left out."""
    quality = plan.config["quality"]
    limits = {measure: limit["exclude"] for measure, limit in quality["limits"].items()}
    return as_json({"limits": limits, **{key: sorted(quality[key].get(cohort, [])) for key in ("exclude", "keep")}})


def verdict_options(plan: Plan, cohort: str) -> str:
    """Return the limits, and what a person decided on the images of a cohort; the lists of other cohorts are left out."""
    quality = plan.config["quality"]
    return as_json({**quality, **{key: sorted(quality[key].get(cohort, [])) for key in ("exclude", "keep")}})


def reference_tables(plan: Plan, pipeline: str, modality: str) -> list[str]:
    """Return the tables of the training images of a sequence that a pipeline's intensity normalisation is fitted on."""
    reference = sequences.reference(plan.config, pipeline, modality)
    return [selected_table(plan, cohort, "train") for cohort in ([reference] if reference else plan.cohorts)]


def intensity_options(plan: Plan, pipeline: str) -> str:
    """Return the options of a pipeline's intensity normalisation."""
    return as_json(plan.config["pipelines"][pipeline]["intensity"])


def intensity_model(plan: Plan, testset: str, modality: str) -> str:
    """Return the fitted intensity normalisation of the cohort behind a test set."""
    return paths.intensity_model(plan.pipeline_of(settings.cohort_of(testset)), modality)


def corruption_options(plan: Plan) -> str:
    """Return the artefacts and severities of corrupted test sets."""
    return as_json(plan.config["corrupted"])
