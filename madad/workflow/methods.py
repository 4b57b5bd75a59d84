"""What the rules that train, apply and evaluate methods read, what they may use, and what makes them run again."""

from __future__ import annotations

from madad.configuration import cards, experiments, initial_weights, settings
from madad.core.provenance import fingerprint
from madad.workflow import anomalies, paths
from madad.workflow.parameters import as_json, contents
from madad.workflow.paths import Run
from madad.workflow.plan import Plan

# What copying the weights of the parts asks for, where a method has nothing to learn.
IDLE = {"gpu": 0, "threads": 1, "mem_mb": 4000, "runtime_min": 60}


def source_run(plan: Plan, run: Run) -> Run:
    """Return the run whose weights a run reuses."""
    return {**run, "method": plan.entries[run["method"]]["weights_from"]}


def reused_file(plan: Plan, run: Run, name: str) -> str:
    """Return a file of the run whose weights a run reuses, by its name in the folder of the run."""
    return f"{paths.folder(source_run(plan, run))}/{name}"


def part_models(plan: Plan, run: Run) -> list[str]:
    """Return the models that a run takes its parts from, in the order of their roles."""
    return paths.models(experiments.part_runs(plan.config, dict(run)))


def training_banks(plan: Plan, run: Run) -> list[str]:
    """Return the bank of synthetic lesions, for methods that learn from them."""
    return anomalies.banks(plan, plan.pipeline_of(run["cohort"])) if _learns_from_pairs(plan, run["method"]) else []


def options(plan: Plan, run: Run) -> str:
    """Return base, parameters, training options and parts of a run's method."""
    return as_json(plan.entries[run["method"]]["options"][run["modality"]])


def training_options(plan: Plan, run: Run) -> str:
    """Return the options of a run's method without its settings of inference, for which nothing is trained again.

    Weights to start from and files that parameters name are in it with their hash, so that their content decides and not the
    time of their file.
    """
    options = experiments.of_training(plan.entries[run["method"]]["options"][run["modality"]])
    start = initial_weights.chosen(plan.config, plan.entries, run)
    named = cards.files(options["base"], options["parameters"])
    hashes = {"initial_weights": start, "files": contents(named) if named else None}
    return as_json({**options, **{key: value for key, value in hashes.items() if value}})


def training_code(plan: Plan, method: str) -> str:
    """Return the fingerprint of the code that trains a method; that of other methods is left out."""
    pairs = ["madad.data.anomalies.pairs"] if _learns_from_pairs(plan, method) else []
    return fingerprint("madad.methods.registry", *_modules(plan, method), "madad.engine.training", *pairs)


def inference_code(plan: Plan, method: str) -> str:
    """Return the fingerprint of the code that applies a method; that of other methods is left out."""
    return fingerprint("madad.methods.registry", *_modules(plan, method), "madad.engine.inference")


def resource(plan: Plan, method: str, name: str) -> int:
    """Return what applying a method asks for.

    Args:
        plan: of the run.
        method: name of an entry.
        name: gpu, threads, mem_mb or runtime_min.
    """
    return plan.entries[method]["resources"][name]


def training_resource(plan: Plan, method: str, name: str) -> int:
    """Return what training a method asks for; little where there is nothing to learn. Arguments as of `resource`."""
    able = plan.cards[method]["capabilities"]
    return resource(plan, method, name) if able["trains"] or able["fits"] else IDLE[name]


def evaluation_options(plan: Plan, method: str) -> str:
    """Return how maps are scored, and the name of the protocol in the method's own paper."""
    return as_json({**plan.config["evaluation"], "published": plan.cards[method]["published_scoring"]})


def ceiling_options(plan: Plan) -> str:
    """Return how the reference masks are scored."""
    return as_json(plan.config["evaluation"])


def ceiling_tables(plan: Plan) -> list[str]:
    """Return the scores of the reference masks of all test sets; with `partial` only where the packs are still there."""
    packs = [paths.packs(run["testset"], run["modality"]) for run in plan.evaluations]
    return paths.ceilings(run for run, own in zip(plan.evaluations, packs, strict=True) if plan.available(own) == own)


def calibration_maps(evaluation: Run) -> list[str]:
    """Return the maps of the training cohort's validation subjects, for test sets that are made of another cohort."""
    return [] if _in_domain(evaluation) else paths.of_runs("calibration/maps.h5", [evaluation])


def calibration_pack(evaluation: Run) -> list[str]:
    """Return the pack of the training cohort's validation subjects, for test sets that are made of another cohort."""
    return [] if _in_domain(evaluation) else [paths.pack(evaluation["cohort"], evaluation["modality"], "validation")]


def nifti_folders(plan: Plan) -> list[str]:
    """Return the folders with the maps of every evaluation as NIfTI files."""
    return paths.of_runs("eval/{testset}/nifti", plan.all_evaluations)


def mask_folders(plan: Plan) -> list[str]:
    """Return the folders with the masks of every evaluation at the validation threshold."""
    return paths.of_runs("eval/{testset}/masks/validation", plan.all_evaluations)


def _in_domain(evaluation: Run) -> bool:
    return settings.cohort_of(evaluation["testset"]) == evaluation["cohort"]


def _learns_from_pairs(plan: Plan, method: str) -> bool:
    return plan.cards[method]["training_data"]["pairs"]


def _modules(plan: Plan, method: str) -> list[str]:
    """Return the modules of a method and of the parts it is built from."""
    entry = plan.entries[method]
    return [cards.module(entry["base"]), *(name for part in entry["parts"].values() for name in _modules(plan, part))]
