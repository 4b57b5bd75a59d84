"""The configuration, and the names that the rules of every stage share. Nothing here imports torch or ants."""

import json
import os
import shlex
import sys
from functools import cache

sys.path.insert(0, workflow.basedir)

from madad import cards, config as configuration, lineup
from madad.errors import UserError
from madad.manifest import SPLITS
from madad.provenance import content_hash, fingerprint
from snakemake.exceptions import WorkflowError

# A clone runs without being installed, also with another --directory. Waiting threads must sleep: on cores that are shared
# with another job, threads that wait by spinning made a training step fifteen times slower (8.9 s against 0.6 s).
shell.prefix(f"export PYTHONPATH={shlex.quote(workflow.basedir)}:$PYTHONPATH OMP_WAIT_POLICY=PASSIVE; ")

try:
    CONFIG = configuration.resolve(config)
except UserError as error:
    raise WorkflowError(str(error)) from None

RUNS = lineup.runs(CONFIG, "methods")
PART_RUNS = lineup.runs(CONFIG, "parts")
RUNS_EVAL = configuration.evaluations(CONFIG)
RUNS_CORRUPTED = configuration.robustness(CONFIG)
COHORTS = configuration.used_cohorts(CONFIG)


wildcard_constraints:
    cohort="|".join(COHORTS),
    testset="|".join(CONFIG["test_on"]),
    modality="|".join(CONFIG["modalities"]),
    method="|".join([*CONFIG["methods"], *CONFIG["parts"]]),
    pipeline="|".join(CONFIG["pipelines"]),
    split="|".join(SPLITS),
    seed=r"\d+",
    shard=r"\d+",


def as_json(value):
    """A value as one shell argument; equal values give equal text, so that nothing reruns for the order of keys."""
    return json.dumps(value, sort_keys=True)


def pipeline_of(cohort):
    """Name of the pipeline that preprocesses a cohort."""
    return CONFIG["cohorts"][cohort]["pipeline"]


def shard_tables(cohort=None):
    """Tables of the preprocessed shards, of one cohort or of all."""
    return [
        f"results/preprocessed/{name}/{pipeline_of(name)}/shards/{shard}.tsv"
        for name in ([cohort] if cohort else COHORTS)
        for shard in range(CONFIG["cohorts"][name]["shards"])
    ]


def packs_for(testset, modality):
    """The packs a test set is inferred and evaluated on: validation for the thresholds, test for the numbers.

    A corrupted one has no validation: its thresholds are those of the test set it is made of.
    """
    splits = ("validation", "test") if configuration.base_of(testset) == testset else ("test",)
    return [f"results/packs/{testset}/{modality}/{split}.h5" for split in splits]


def excluded_tables():
    """What each cohort could not use, and why."""
    return [f"results/cohorts/{cohort}/excluded.tsv" for cohort in COHORTS]


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


if CONFIG["partial"]:
    # in place, because the functions above hold the lists as defaults
    for runs in (RUNS, PART_RUNS):
        runs[:] = [run for run in runs if os.path.exists(train_json_files([run])[0])]
    for runs in (RUNS_EVAL, RUNS_CORRUPTED):
        runs[:] = [run for run in runs if os.path.exists(metrics_files([run])[0])]


def cohort_options(wildcards):
    """Options of a cohort that decide its manifest."""
    options = CONFIG["cohorts"][wildcards.cohort]
    return as_json({key: value for key, value in options.items() if key not in ("pipeline", "shards", "skull_strip", "dataset")})


@cache
def listing(root):
    """Hash of names, sizes and times of a folder's images and masks, and of its table of participants."""
    found = []
    for folder, _, names in os.walk(root, followlinks=True):
        for name in names:
            path = os.path.join(folder, name)
            # a link to nothing, as in a data set that is fetched piece by piece, must not stop the run
            if name.endswith((".nii", ".nii.gz", "participants.tsv")) and os.path.exists(path):
                found.append([path, os.stat(path).st_size, os.stat(path).st_mtime_ns])
    return content_hash(sorted(found))


def cohort_listing(wildcards):
    """Changes when an image, a mask or the table of participants is added, replaced or taken away."""
    root = CONFIG["cohorts"][wildcards.cohort].get("root")
    return listing(root) if root else "made here"


def cohort_threads(wildcards):
    """Phantoms are built side by side; a BIDS folder is only read."""
    return 16 if CONFIG["cohorts"][wildcards.cohort]["kind"] == "phantom" else 1


def preprocess_options(wildcards):
    """Options of a pipeline that decide the images, and how the cohort's brains are found."""
    options = {
        key: value for key, value in CONFIG["pipelines"][wildcards.pipeline].items() if key not in ("intensity", "reference")
    }
    return as_json({**options, "skull_strip": CONFIG["cohorts"][wildcards.cohort]["skull_strip"]})


def pack_intensity(wildcards):
    """The intensity normalisation of a cohort's pipeline."""
    return f"results/intensity/{pipeline_of(wildcards.cohort)}/{wildcards.modality}.json"


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
    figures = [f"results/figures/{name}.png" for name in (*drawn, "quality_montage")]
    return tables + pages + figures + gallery_files() + anomaly_figures() + robustness_files()


def gallery_files():
    """Galleries of every method on every test set, of all methods side by side, their mean maps, and their strata."""
    shared = "{cohort}_{modality}_{testset}"
    names = (f"gallery_{shared}--{{method}}", f"side_by_side_{shared}", f"mean_maps_{shared}", f"strata_{shared}")
    return sorted({f"results/figures/{name.format(**run)}.png" for run in first_seeds() for name in names})


def shown_runs(wildcards):
    """Evaluations behind a gallery's name."""
    return first_seeds(**dict(wildcards))


def lesion_masks():
    """Changes with the real lesion masks, so that results age with them; hundreds of inputs would flood the log."""
    folder = CONFIG["anomalies"]["lesion_masks"]
    return listing(folder) if folder else "shapes are made here"


def bank_files(pipeline):
    """Shards of the bank of a pipeline's template grid."""
    return [f"results/banks/{pipeline}/{shard}.h5" for shard in range(CONFIG["anomalies"]["bank"]["shards"])]


def anomaly_figures():
    """Pictures of the generator, one for every training cohort and modality."""
    name = "results/figures/synthetic_lesions_{}_{}.png"
    return finished([name.format(cohort, modality) for cohort in CONFIG["train_on"] for modality in CONFIG["modalities"]])


def implant_options(wildcards):
    """The grid of implanted lesions and the generator behind them; how the bank is divided plays no part."""
    generator = {key: value for key, value in CONFIG["anomalies"].items() if key != "bank"}
    return as_json({**CONFIG["implanted"], "generator": generator})


def bank_options(wildcards):
    """The generator, and size and seed of the bank."""
    bank = {key: value for key, value in CONFIG["anomalies"]["bank"].items() if key != "shards"}
    return as_json({**CONFIG["anomalies"], "bank": bank})


def corrupted_intensity(wildcards):
    """The intensity normalisation of the cohort behind a test set."""
    cohort = configuration.cohort_of(wildcards.testset)
    return f"results/intensity/{pipeline_of(cohort)}/{wildcards.modality}.json"


def uncorrupted():
    """For every evaluation of a corrupted test set that of the test set it is made of."""
    return [{**run, "testset": configuration.base_of(run["testset"])} for run in RUNS_CORRUPTED]


def robustness_files():
    """Tables and figures of the corrupted test sets; none without such a test set."""
    names = {"robustness_{cohort}_{modality}_{testset}".format(**run) for run in RUNS_CORRUPTED}
    names |= {"corruptions_{testset}_{modality}".format(**run) for run in uncorrupted()}
    tables = [f"results/tables/robustness.{kind}" for kind in ("csv", "tex", "html")] if RUNS_CORRUPTED else []
    return tables + sorted(f"results/figures/{name}.png" for name in names)
