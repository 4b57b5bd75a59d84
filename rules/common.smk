"""The configuration, and the names that the rules of every stage share. Nothing here imports torch or ants."""

import os
import sys

sys.path.insert(0, workflow.basedir)

from madad.configuration import cards, settings
from madad.core.errors import UserError
from madad.core.provenance import content_hash, fingerprint
from madad.workflow import anomalies, cohorts, methods, paths, patterns, preprocessing, startup
from madad.workflow.parameters import as_json
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

try:
    PLAN = startup.plan(config, workflow.basedir)
except UserError as error:
    raise WorkflowError(str(error)) from None

CONFIG = PLAN.config
RUNS, PART_RUNS = list(PLAN.runs), list(PLAN.part_runs)
RUNS_EVAL, RUNS_CORRUPTED = list(PLAN.evaluations), list(PLAN.corrupted)
COHORTS = list(PLAN.cohorts)
ENTRIES = PLAN.entries
METHOD_BASES = PLAN.bases
TRACKS = PLAN.tracks
BENEATH = PLAN.parts
NOISE_LAWS = PLAN.noise_laws

shell.prefix(startup.shell_prefix(workflow.basedir))


wildcard_constraints:
    **patterns.wildcards(PLAN),


onstart:
    # not in a dry run, where nothing is written
    logger.log(*startup.disk_message(PLAN))


def pipeline_of(cohort):
    """Name of the pipeline that preprocesses a cohort."""
    return CONFIG["cohorts"][cohort]["pipeline"]


def _of_runs(name, runs):
    folder = "results/runs/{cohort}/{modality}/{method}/seed{seed}/"
    return [(folder + name).format(**run) for run in runs]


def metrics_files(runs=RUNS_EVAL):
    """Long tables of every evaluation."""
    return _of_runs("eval/{testset}/metrics.tsv", runs)


def maps_files(runs=RUNS_EVAL):
    """Stored maps of every evaluation."""
    return _of_runs("eval/{testset}/maps.h5", runs)


def finished(files):
    """What the report may ask for: with `partial` only what is there already."""
    return [path for path in files if os.path.exists(path)] if CONFIG["partial"] else files


def train_json_files(runs=RUNS):
    """What every training says of itself."""
    return _of_runs("train.json", runs)


def history_files(runs=RUNS):
    """Losses of every training."""
    return _of_runs("history.csv", runs)


def first_seeds(**fixed):
    """Evaluations to show as pictures: those with the lowest seed of each method, in the order of the config."""
    chosen = {}
    for run in RUNS_EVAL:
        key = tuple(run[name] for name in ("cohort", "modality", "testset", "method"))
        if all(run[name] == value for name, value in fixed.items()):
            chosen[key] = min(run, chosen.get(key, run), key=lambda one: int(one["seed"]))
    return list(chosen.values())


def deliverables():
    """Everything the report shows."""
    cut = ("headline", "thresholds", "published", "cost", "fidelity", "subjects", "ledger")
    cut += ("comparisons", "ranks", "protocols", "post_processing")
    cut += ("lesions", "detectability", "strata")
    tables = [f"results/tables/{name}.{kind}" for name in cut for kind in ("csv", "tex", "html")]
    pages = [f"results/tables/{name}" for name in ("quality.html", "provenance.html", "leakage.html", "samples.csv")]
    pages.append("results/quality/index.html")
    drawn = (
        "comparison",
        "cost",
        "training",
        "precision_recall",
        "score_distributions",
        "subject_scores",
        "quality_numbers",
    )
    drawn += ("critical_difference", "rank_probabilities", "protocols")
    drawn += ("froc", "detectability", "detectability_curves")
    drawn += tuple(
        f"{name}_{modality}" for name in ("normalisation", "normalisation_methods") for modality in CONFIG["modalities"]
    )
    figures = [f"results/figures/{name}.png" for name in (*drawn, "quality_montage")]
    return tables + pages + figures + gallery_files() + anomaly_figures() + robustness_files() + noise_figures()


def gallery_files():
    """Galleries of every method on every test set, of all methods side by side, their mean maps, and their strata."""
    shared = "{cohort}_{modality}_{testset}"
    names = (f"gallery_{shared}--{{method}}", f"side_by_side_{shared}", f"mean_maps_{shared}", f"strata_{shared}")
    return sorted({f"results/figures/{name.format(**run)}.png" for run in first_seeds() for name in names})


def shown_runs(wildcards):
    """Evaluations behind a gallery's name."""
    return first_seeds(**dict(wildcards))


def anomaly_figures():
    """Pictures of the generator, one for every training cohort and modality."""
    name = "results/figures/synthetic_lesions_{}_{}.png"
    return finished([name.format(cohort, modality) for cohort in CONFIG["train_on"] for modality in CONFIG["modalities"]])


def noise_figures():
    """The role of noise; none where no two methods differ in its law."""
    name = "results/figures/noise_kinds_{}_{}.png"
    kinds = [name.format(cohort, modality) for cohort in CONFIG["train_on"] for modality in CONFIG["modalities"]]
    return ["results/figures/noise_study.png", *finished(kinds)] if NOISE_LAWS else []


def uncorrupted():
    """For every evaluation of a corrupted test set that of the test set it is made of."""
    return [{**run, "testset": settings.base_of(run["testset"])} for run in RUNS_CORRUPTED]


def robustness_files():
    """Tables and figures of the corrupted test sets; none without such a test set."""
    names = {"robustness_{cohort}_{modality}_{testset}".format(**run) for run in RUNS_CORRUPTED}
    names |= {"corruptions_{testset}_{modality}".format(**run) for run in uncorrupted()}
    tables = [f"results/tables/robustness.{kind}" for kind in ("csv", "tex", "html")] if RUNS_CORRUPTED else []
    return tables + sorted(f"results/figures/{name}.png" for name in names)


def shard_tables(cohort=None):
    """Tables of the preprocessed shards, of one cohort or of all."""
    return [
        f"results/preprocessed/{name}/{pipeline_of(name)}/shards/{shard}.tsv"
        for name in ([cohort] if cohort else COHORTS)
        for shard in range(CONFIG["cohorts"][name]["shards"])
    ]


def quality_tables(cohort=None):
    """Every image with its quality numbers and the verdict on it, of one cohort or of all."""
    return [f"results/quality/{name}/{pipeline_of(name)}.tsv" for name in ([cohort] if cohort else COHORTS)]


def quality_records():
    """What the verdicts of every cohort rest on."""
    return [table.removesuffix(".tsv") + ".json" for table in quality_tables()]


def verdict_options(wildcards):
    """Limits, and what a person decided on the images of a cohort; lists of other cohorts play no part."""
    lists = {key: sorted(CONFIG["quality"][key].get(wildcards.cohort, [])) for key in ("exclude", "keep")}
    return {**CONFIG["quality"], **lists}


def packs_for(testset, modality):
    """The packs a test set is inferred and evaluated on: validation for the thresholds, test for the numbers.

    A corrupted one has no validation: its thresholds are those of the test set it is made of.
    """
    splits = ("validation", "test") if settings.base_of(testset) == testset else ("test",)
    return [f"results/packs/{testset}/{modality}/{split}.h5" for split in splits]


def excluded_tables():
    """What each cohort could not use, and why."""
    return [f"results/cohorts/{cohort}/excluded.tsv" for cohort in COHORTS]


def used_pipeline():
    """The pipeline that every cohort in use shares, so that their numbers can be compared."""
    return CONFIG["pipelines"][pipeline_of(COHORTS[0])]


def reference_tables():
    """Tables of the cohort whose training images fit the intensities."""
    return quality_tables(used_pipeline()["reference"])


def reference_intensity(wildcards):
    """How the pipeline normalises, for the comparison with all other ways."""
    return used_pipeline()["intensity"]


def intensity_models(modality):
    """The fitted normalisation of every pipeline in use."""
    return [f"results/intensity/{name}/{modality}.json" for name in sorted({pipeline_of(cohort) for cohort in COHORTS})]
