"""Names of the files below `results/` that several rules share.

Only names are made here; nothing is read, and no file needs to exist.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from madad.configuration import settings

# Coordinates of a run: cohort, modality, method and seed, for an evaluation also the test set.
Run = Mapping[str, str]
RUN_FOLDER = "results/runs/{cohort}/{modality}/{method}/seed{seed}"


def parent(file: str) -> str:
    """Return the folder of a file that Snakemake has named: below a prefix, or a local copy of what lies in a storage."""
    return os.path.dirname(file)


def subjects(shard_table: str) -> str:
    """Return the folder with the images of single subjects, which belongs to all shards of a cohort and is no output of one."""
    return os.path.join(os.path.dirname(os.path.dirname(shard_table)), "subjects")


def checkpoints(model: str) -> str:
    """Return the folder with the checkpoints of a training: outside its outputs, which Snakemake deletes before a job.

    Args:
        model: `results/runs/{cohort}/{modality}/{method}/seed{seed}/model.safetensors`, as Snakemake has named it.
    """
    *results, _, cohort, modality, method, seed, _ = model.split("/")
    return "/".join([*results, "checkpoints", cohort, modality, method, seed])


def folder(run: Run) -> str:
    """Return the folder of a run."""
    return RUN_FOLDER.format(**run)


def of_runs(name: str, runs: Iterable[Run]) -> list[str]:
    """Return one file of every run.

    Args:
        name: below the folder of the run; wildcards such as `{testset}` in braces.
        runs: with a value for every wildcard.
    """
    return [f"{folder(run)}/{name}".format(**run) for run in runs]


def metrics(evaluations: Iterable[Run]) -> list[str]:
    """Return the long table of every evaluation."""
    return of_runs("eval/{testset}/metrics.tsv", evaluations)


def lesions(evaluations: Iterable[Run]) -> list[str]:
    """Return the table of single lesions of every evaluation."""
    return of_runs("eval/{testset}/lesions.tsv", evaluations)


def maps(evaluations: Iterable[Run]) -> list[str]:
    """Return the stored anomaly maps of every evaluation."""
    return of_runs("eval/{testset}/maps.h5", evaluations)


def ceilings(evaluations: Iterable[Run]) -> list[str]:
    """Return the long table of the reference masks of every test set, each once."""
    return list(dict.fromkeys("results/ceilings/{cohort}/{modality}/{testset}.tsv".format(**run) for run in evaluations))


def volumes(evaluation: Run) -> str:
    """Return what the viewer shows of the test set of an evaluation."""
    return "results/report/volumes/{cohort}_{modality}_{testset}.json".format(**evaluation)


def mean_maps(evaluations: Iterable[Run]) -> list[str]:
    """Return the mean maps of every evaluation."""
    return of_runs("eval/{testset}/mean_maps.npz", evaluations)


def models(runs: Iterable[Run]) -> list[str]:
    """Return the model file of every run."""
    return of_runs("model.safetensors", runs)


def train_json(runs: Iterable[Run]) -> list[str]:
    """Return the record of every training."""
    return of_runs("train.json", runs)


def histories(runs: Iterable[Run]) -> list[str]:
    """Return the losses of every training."""
    return of_runs("history.csv", runs)


def pack(testset: str, modality: str, split: str) -> str:
    """Return the pack of one split of a test set or cohort."""
    return f"results/packs/{testset}/{modality}/{split}.h5"


def packs(testset: str, modality: str) -> list[str]:
    """Return the packs that a test set is inferred and evaluated on: validation for the thresholds, test for the numbers.

    A corrupted test set has no validation pack: its thresholds are those of the test set that it is made of.
    """
    splits = ("validation", "test") if settings.base_of(testset) == testset else ("test",)
    return [pack(testset, modality, split) for split in splits]


def sample_table(testset: str, modality: str) -> str:
    """Return the table beside a test pack that records what was done to its samples; only derived test sets have one."""
    return f"results/packs/{testset}/{modality}/test.tsv"


def shard_tables(cohort: str, pipeline: str, shards: int) -> list[str]:
    """Return the tables of the preprocessed shards of a cohort."""
    return [f"results/preprocessed/{cohort}/{pipeline}/shards/{shard}-of-{shards}.tsv" for shard in range(shards)]


def selected_table(cohort: str, pipeline: str, split: str) -> str:
    """Return the table of every image of a split that tells which are used."""
    return f"results/selected/{cohort}/{pipeline}/{split}.tsv"


def quality_table(cohort: str, pipeline: str) -> str:
    """Return the table of every image of a cohort with its quality measures and verdict."""
    return f"results/quality/{cohort}/{pipeline}.tsv"


def quality_record(cohort: str, pipeline: str) -> str:
    """Return the record of the limits and lists behind the verdicts on a cohort."""
    return f"results/quality/{cohort}/{pipeline}.json"


def cohort_folder(cohort: str) -> str:
    """Return the folder with what is known about a cohort."""
    return f"results/cohorts/{cohort}"


def excluded_table(cohort: str) -> str:
    """Return the table of what a cohort could not use, and why."""
    return f"{cohort_folder(cohort)}/excluded.tsv"


def cohort_summary(cohort: str) -> str:
    """Return the record of how a cohort was understood."""
    return f"{cohort_folder(cohort)}/summary.json"


def intensity_model(pipeline: str, modality: str) -> str:
    """Return the fitted intensity normalisation of a pipeline."""
    return f"results/intensity/{pipeline}/{modality}.json"


def bank(pipeline: str, shards: int) -> list[str]:
    """Return the shards of the bank of lesion maps on a pipeline's template grid."""
    return [f"results/banks/{pipeline}/{shard}-of-{shards}.h5" for shard in range(shards)]


def download_record(cohort: str) -> str:
    """Return the record of a downloaded data set."""
    return f"results/downloads/{cohort}/download.json"
