"""The configuration, and the names that the rules of every stage share. Nothing here imports torch or ants."""

import json
import os
import shlex
import sys

sys.path.insert(0, workflow.basedir)

from madad.configuration import cards, disk_forecast, experiments, settings, subject_counts
from madad.core.errors import UserError
from madad.core.io.manifest import SPLITS
from madad.core.provenance import content_hash, fingerprint
from madad.workflow import anomalies, cohorts, methods, paths, preprocessing
from madad.workflow.plan import Plan
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

if set("{}:") & set(workflow.basedir):
    raise WorkflowError(
        f"{workflow.basedir}: Snakemake and Python fail below a folder with a brace or colon in its name; move it"
    )

# A clone runs without being installed, also with another --directory. Waiting threads must sleep: on cores that are shared
# with another job, threads that wait by spinning made a training step fifteen times slower (8.9 s against 0.6 s).
# matplotlib keeps its list of fonts with the results, so that a run leaves nothing in the user's folders.
shell.prefix(
    f"export PYTHONPATH={shlex.quote(workflow.basedir)}:$PYTHONPATH OMP_WAIT_POLICY=PASSIVE"
    ' MPLCONFIGDIR="${{MPLCONFIGDIR:-$PWD/results/.cache/matplotlib}}"; '
)

try:
    CONFIG = settings.resolve(config)
except UserError as error:
    raise WorkflowError(str(error)) from None

PLAN = Plan.of(CONFIG)
RUNS, PART_RUNS = list(PLAN.runs), list(PLAN.part_runs)
RUNS_EVAL, RUNS_CORRUPTED = list(PLAN.evaluations), list(PLAN.corrupted)
COHORTS = list(PLAN.cohorts)


wildcard_constraints:
    cohort="|".join(COHORTS),
    testset="|".join(CONFIG["test_on"]),
    modality="|".join(CONFIG["modalities"]),
    method="|".join([*CONFIG["methods"], *CONFIG["parts"]]),
    pipeline="|".join(CONFIG["pipelines"]),
    split="|".join(SPLITS),
    seed=r"\d+",
    shard=r"\d+",


include: "data.smk"
include: "methods.smk"


onstart:
    # not in a dry run, where nothing is written
    line, fits = disk_forecast.told(CONFIG)
    (logger.info if fits else logger.warning)(line)


def as_json(value):
    """A value as one shell argument; equal values give equal text, so that nothing reruns for the order of keys."""
    return json.dumps(value, sort_keys=True)


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
