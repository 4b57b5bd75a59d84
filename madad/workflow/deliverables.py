"""The files and values behind the names that the rows of `madad.reporting.deliverables` use, and the rules' parts made of them.

A name of an input or an option means the same thing in every row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from madad.configuration import sequences, settings
from madad.configuration.pipelines import UNREGISTERED
from madad.core.provenance import content_hash, file_hash
from madad.core.workflow_files import FOLDER
from madad.reporting.deliverables.registry import DELIVERABLES
from madad.reporting.deliverables.row import SECTIONS, Deliverable, Output
from madad.reporting.reproduction import papers
from madad.workflow import methods, paths, preprocessing, run_facts
from madad.workflow.parameters import as_json
from madad.workflow.paths import Run
from madad.workflow.plan import Plan

Files = str | list[str]
# Values of a job's wildcards; empty where a rule has none.
Wildcards = Mapping[str, str]


def inputs_of(plan: Plan, row: Deliverable) -> dict[str, Files | Callable[[Wildcards], Files]]:
    """Return the named inputs of a row's rule: files, or for a row with wildcards functions of them."""
    return {name: _bound(INPUTS[name], plan, row) for name in row.inputs}


def sections_of(plan: Plan) -> dict[str, str]:
    """Return the titles of the report's sections, numbered without holes: a section of which this run has nothing has none."""
    shown = {row.section for row in DELIVERABLES if row.section and row.each is not None and EACH[row.each](plan)}
    return {name: f"{number} {name}" for number, name in enumerate((one for one in SECTIONS if one in shown), 1)}


def outputs_of(row: Deliverable, report: Callable[..., Any], sections: dict[str, str]) -> dict[str, Any]:
    """Return the named outputs of a row's rule, those that the report shows with their section, labels and caption.

    Args:
        row: of the registry.
        report: the function of this name in a Snakefile, which marks a file for the report.
        sections: of `sections_of`.
    """
    section = {"category": sections.get(row.section, row.section), "subcategory": row.subsection}

    def shown(file: Output) -> Any:
        return report(file.path, caption=f"../report/{file.caption}.rst" if file.caption else None, labels=file.labels, **section)

    return {file.argument: shown(file) if file.labels else file.path for file in row.outputs}


def arguments_of(plan: Plan, row: Deliverable) -> dict[str, Any] | Callable[[Wildcards], dict[str, Any]]:
    """Return the arguments of a row's function that are no files, or for a row with wildcards a function of them."""

    def arguments(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
        return {name: OPTIONS[name](plan, wildcards) for name in row.options}

    return _bound(arguments, plan, row)


def call_of(plan: Plan, row: Deliverable) -> Callable[..., str]:
    """Return the function that Snakemake calls for the text from which `madad deliver` learns what to call with what.

    Snakemake does not compare it with that of the last run, because it is made of inputs and outputs.
    """

    def call(wildcards: Wildcards, input: Any, output: Any) -> str:
        passed = {file.argument for file in row.outputs if not file.beside}
        named = [*input.items(), *((name, found) for name, found in output.items() if name in passed)]
        files = {name: found if isinstance(found, str) else list(found) for name, found in named}
        others = {name: OPTIONS[name](plan, dict(wildcards)) for name in row.options}
        return as_json({"function": row.function, "arguments": {**files, **others}})

    return call


def describe(rules: Any, row: Deliverable) -> None:
    """Give a row's rule its docstring.

    Args:
        rules: Snakemake's rules by the names that they have in the Snakefile, whatever a module calls them.
        row: of the registry.
    """
    with suppress(AttributeError):  # a module may leave rules out
        getattr(rules, row.name).rule.docstring = row.about


def watched_by(plan: Plan, row: Deliverable) -> dict[str, str]:
    """Return the hashes of what makes a row's rule run again although it is no argument."""
    return {name: WATCHED[name](plan) for name in row.watched}


def targets(plan: Plan) -> list[str]:
    """Return everything that the report shows, and the files beside it."""
    return [path for row in DELIVERABLES for path in targets_of(plan, row)]


def targets_of(plan: Plan, row: Deliverable) -> list[str]:
    """Return the outputs of a row for every combination of its wildcards; none for what only other rules read."""
    combinations = EACH[row.each](plan) if row.each is not None else []
    files = sorted({output.path.format(**values) for output in row.outputs for values in combinations})
    return plan.available(files) if row.heavy else files


def _bound(source: Callable[[Plan, Wildcards], Any], plan: Plan, row: Deliverable) -> Any:
    """Return a value, or the function of wildcards that Snakemake calls for it."""

    def value(wildcards: Wildcards) -> Any:
        return source(plan, dict(wildcards))

    return value if row.wildcards else source(plan, {})


def _path(template: str) -> Callable[[Plan, Wildcards], Files]:
    """Return the source of one file whose name follows from wildcards alone."""

    def file(plan: Plan, wildcards: Wildcards) -> Files:
        return template.format(**wildcards)

    return file


def _derivation_tables(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return what was done to make a test set; none for a cohort's own."""
    testset = wildcards["testset"]
    return [] if testset in plan.config["cohorts"] else [paths.sample_table(testset, wildcards["modality"])]


def _used_packs(plan: Plan) -> list[str]:
    """Return the packs of every split of a cohort that is trained on, chosen by or tested on."""
    tested = sorted({settings.cohort_of(testset) for testset in plan.config["test_on"]})
    splits = {"train": plan.config["train_on"], "validation": plan.cohorts, "test": tested}
    return plan.available(
        paths.pack(cohort, modality, split)
        for modality in plan.sequences
        for split, cohorts in splits.items()
        for cohort in cohorts
        if modality in sequences.of(plan.config, cohort)
    )


def _implanted_tables(plan: Plan) -> list[str]:
    tested = {(run["testset"], run["modality"]) for run in plan.evaluations if run["testset"].endswith(settings.IMPLANTED)}
    return [paths.sample_table(*pair) for pair in sorted(tested)]


def _reference_tables(plan: Plan, modality: str) -> list[str]:
    """Return the table of the cohort whose training images fit the intensities of a sequence."""
    return plan.available(preprocessing.reference_tables(plan, _used_pipeline(plan), modality))


def _shown(plan: Plan) -> list[str]:
    """Return the files of the report but the galleries of single methods, whose number grows with that of the methods."""
    rows = [row for row in DELIVERABLES if row.section and row.each != "method on a test set"]
    marked = [replace(row, outputs=tuple(file for file in row.outputs if file.labels)) for row in rows]
    return [path for row in marked for path in targets_of(plan, row)]


def _used_pipeline(plan: Plan) -> str:
    """Return the name of the pipeline that every cohort in use shares, so that their numbers can be compared."""
    return plan.pipeline_of(plan.cohorts[0])


# What an input is called in the rows and in the functions that read it: a file, or a list of files.
INPUTS: dict[str, Callable[[Plan, Wildcards], Files]] = {
    "ceiling_metrics": _path("results/tables/ceiling_metrics.csv"),
    "ceiling_tables": lambda plan, _: methods.ceiling_tables(plan),
    "ceilings": _path("results/tables/ceilings.csv"),
    "artefact_table": _path("results/packs/{testset}-corrupted/{modality}/test.tsv"),
    "artefact_tables": lambda plan, _: [paths.sample_table(run["testset"], run["modality"]) for run in plan.corrupted],
    "clean_tables": lambda plan, _: paths.metrics(plan.uncorrupted),
    "comparisons": _path("results/tables/comparisons.csv"),
    "corrupted_pack": _path("results/packs/{testset}-corrupted/{modality}/test.h5"),
    "corrupted_tables": lambda plan, _: paths.metrics(plan.corrupted),
    "derivation_tables": _derivation_tables,
    "examples": _path("results/banks/examples/{cohort}/{modality}.npz"),
    "excluded": lambda plan, _: plan.available(map(paths.excluded_table, plan.cohorts)),
    "summaries": lambda plan, _: plan.available(map(paths.cohort_summary, plan.cohorts)),
    "histories": lambda plan, _: paths.histories(plan.trainings),
    "implanted_tables": lambda plan, _: _implanted_tables(plan),
    "intensity_models": lambda plan, wildcards: plan.available(
        paths.intensity_model(pipeline, wildcards["modality"]) for pipeline in plan.pipelines
    ),
    "judged": lambda plan, _: plan.available(preprocessing.quality_table(plan, cohort) for cohort in plan.cohorts),
    "leakage_table": _path("results/tables/leakage.csv"),
    "learnt_banks": lambda plan, _: plan.available(
        dict.fromkeys(bank for run in plan.trainings for bank in methods.training_banks(plan, run))
    ),
    "lesion_tables": lambda plan, _: paths.lesions(plan.all_evaluations),
    "long_table": lambda plan, wildcards: paths.metrics(plan.first_seeds(**wildcards))[0],
    "long_tables": lambda plan, _: paths.metrics(plan.evaluations),
    "maps": lambda plan, wildcards: paths.maps(plan.first_seeds(**wildcards))[0],
    "mean_maps": lambda plan, wildcards: paths.mean_maps(plan.first_seeds(**wildcards)),
    "method_maps": lambda plan, wildcards: paths.maps(plan.first_seeds(**wildcards)),
    "method_tables": lambda plan, wildcards: paths.metrics(plan.first_seeds(**wildcards)),
    "metrics": _path("results/tables/metrics.csv"),
    "methods_text": _path("results/report/methods.md"),
    "noised": _path("results/noised/{cohort}/{modality}.npz"),
    "packs": lambda plan, wildcards: paths.packs(wildcards["testset"], wildcards["modality"]),
    "provenance": _path("results/provenance.json"),
    "quality_records": lambda plan, _: plan.available(
        paths.quality_record(cohort, plan.pipeline_of(cohort)) for cohort in plan.cohorts
    ),
    "ranks": _path("results/tables/ranks.csv"),
    "reference_tables": lambda plan, wildcards: _reference_tables(plan, wildcards["modality"]),
    "robustness_metrics": _path("results/tables/robustness_metrics.csv"),
    "sample_tables": lambda plan, _: sorted(
        {"results/samples/{testset}/{modality}.tsv".format(**run) for run in plan.all_evaluations}
    ),
    "samples": _path("results/tables/samples.csv"),
    "shown": lambda plan, _: _shown(plan),
    "story": _path("results/report/story.json"),
    "summary": _path("results/tables/summary.csv"),
    "test_pack": _path("results/packs/{testset}/{modality}/test.h5"),
    "train_pack": _path("results/packs/{cohort}/{modality}/train.h5"),
    # the trainings of the compared methods, and those together with the trainings of their parts
    "trainings": lambda plan, _: paths.train_json(plan.runs),
    "all_trainings": lambda plan, _: paths.train_json(plan.trainings),
    "used_packs": lambda plan, _: _used_packs(plan),
    "volumes": lambda plan, _: sorted({paths.volumes(run) for run in plan.evaluations}),
}


# What an option is called in the rows and in the functions that take it.
OPTIONS: dict[str, Callable[[Plan, Wildcards], Any]] = {
    "all_bases": lambda plan, _: {name: entry["base"] for name, entry in plan.entries.items()},
    "all_parts": lambda plan, _: plan.parts,
    "bases": lambda plan, _: plan.bases,
    "cohort": lambda _, wildcards: wildcards["cohort"],
    "cohorts": lambda plan, _: run_facts.cohort_facts(plan),
    "empty": lambda plan, _: plan.config["evaluation"]["empty_masks"],
    "intensity_options": lambda plan, _: plan.config["pipelines"][_used_pipeline(plan)]["intensity"],
    "leakage_setup": lambda plan, _: run_facts.leakage_setup(plan),
    "methods": lambda plan, wildcards: [run["method"] for run in plan.first_seeds(**wildcards)],
    "modality": lambda _, wildcards: wildcards["modality"],
    "noise_laws": lambda plan, _: plan.noise_laws,
    "parts_by_role": lambda plan, _: {name: entry["parts"] for name, entry in plan.entries.items()},
    "quality_lists": lambda plan, _: {key: plan.config["quality"][key] for key in ("exclude", "keep")},
    "resamples": lambda plan, _: plan.config["evaluation"]["bootstrap"],
    "run_facts": lambda plan, _: run_facts.run_facts(plan),
    "scoring": lambda plan, _: {key: plan.config["evaluation"][key] for key in ("erosion", "median", "min_component")},
    "settings": lambda plan, _: run_facts.parameters(plan),
    "testset": lambda _, wildcards: wildcards["testset"],
    "tracks": lambda plan, _: plan.tracks,
    # the methods that another seed trains anew
    "trained": lambda plan, _: {name: method["seeded"] for name, method in plan.config["methods"].items()},
}


def _hash_of_cards(plan: Plan) -> str:
    by_base = {entry["base"]: plan.cards[name] for name, entry in plan.entries.items()}
    return content_hash([by_base[base] for base in sorted(by_base)])


# What is read by a function itself, and not handed to it.
WATCHED: dict[str, Callable[[Plan], str]] = {
    "captions": lambda plan: content_hash(sorted(map(file_hash, (FOLDER / "report").glob("*.rst")))),
    "cards": lambda plan: _hash_of_cards(plan),
    "papers": lambda plan: papers.digest(),
}


def _of_training_sets(plan: Plan) -> list[Run]:
    return [
        {"cohort": cohort, "modality": modality}
        for cohort in plan.config["train_on"]
        for modality in plan.sequences
        if modality in sequences.of(plan.config, cohort)
    ]


def _is_registered(plan: Plan, cohort: str) -> bool:
    return plan.config["pipelines"][plan.pipeline_of(cohort)]["registration"] != UNREGISTERED


# What there is one deliverable for: the values of its wildcards, one combination each.
EACH: dict[str, Callable[[Plan], list[Run]]] = {
    "run": lambda plan: [{}],
    "run with corrupted test sets": lambda plan: [{}] if plan.corrupted else [],
    "run with several noise laws": lambda plan: [{}] if plan.noise_laws else [],
    "sequence": lambda plan: [{"modality": modality} for modality in plan.sequences],
    "training set on a template": lambda plan: [run for run in _of_training_sets(plan) if _is_registered(plan, run["cohort"])],
    "training set with several noise laws": lambda plan: _of_training_sets(plan) if plan.noise_laws else [],
    "test set": lambda plan: plan.first_seeds(),
    "method on a test set": lambda plan: plan.first_seeds(),
    "corrupted test set": lambda plan: list(plan.corrupted),
    "test set that is corrupted": lambda plan: plan.uncorrupted,
}
