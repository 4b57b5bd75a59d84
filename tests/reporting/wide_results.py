"""Many methods on several test sets: a long table of made-up numbers, for figures and tables that must stay legible."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from madad.core.seeds import numpy_generator
from madad.evaluation.results.long_table import COLUMNS
from madad.evaluation.statistics.summary import summarise

TESTSETS = ("own", "own-implanted", "tumours", "multiple-sclerosis")
METHODS = ("intensity", "a_masked_latent_diffusion_v2", *(f"method_{place:02d}" for place in range(10)))


def build(folder: Path, methods=METHODS, testsets=TESTSETS, seeds=("0", "1"), subjects: int = 5) -> SimpleNamespace:
    """Long table, summary and trainings below a folder; methods get better in their order."""
    rows = []
    for testset in testsets:
        for place, method in enumerate(methods):
            for seed in seeds if method != "intensity" else seeds[:1]:
                generator = numpy_generator("wide", testset, method, seed)
                made = [*_of_samples(generator, place, subjects), *_of_all(generator)]
                rows += [("own", "T1w", testset, method, seed, "test", *row) for row in made]
    metrics, summary = folder / "metrics.csv", folder / "summary.csv"
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(metrics, index=False, na_rep="nan")
    summarise(metrics, summary)
    trainings = [_training(folder, method, place) for place, method in enumerate(methods)]
    return SimpleNamespace(metrics=metrics, summary=summary, trainings=trainings, methods=methods, testsets=testsets)


def _of_samples(generator, place: int, subjects: int):
    for number in range(subjects):
        patient, healthy = (f"p{number}", f"p{number}", "patient"), (f"h{number}", f"h{number}", "healthy")
        quality = (0.05 * place + 0.2 * generator.random()) % 1
        for metric, protocol in (("auprc", "per_subject"), ("dice", "oracle_test"), ("dice", "validation")):
            yield *patient, protocol, metric, quality
        yield *patient, "per_subject", "auroc", 0.5 + quality / 2
        yield *patient, "per_subject", "prevalence", 0.03
        for who, shift in ((patient, 1.0), (healthy, 0.0)):
            for protocol in ("mean", "p99", "volume"):
                yield *who, protocol, "subject_score", shift + generator.random()
            yield *who, "inference", "seconds", 0.5 * 2.0**place
            yield *who, "inference", "peak_memory_mb", 300.0 + 100 * place
        yield *healthy, "healthy_brain", "l1", 0.1
        yield *patient, "reconstruction", "l1_lesion", 0.3
        yield *patient, "reconstruction", "l1_healthy_tissue", 0.2


def _of_all(generator):
    nobody = ("", "", "")
    for protocol in ("mean", "p99", "volume"):
        for metric, value in (("subject_auroc", 0.8), ("subject_auroc_low", 0.6), ("subject_auroc_high", 0.9)):
            yield *nobody, protocol, metric, value + 0.01 * generator.random()
        yield *nobody, protocol, "subject_ap", 0.7
        yield *nobody, protocol, "subject_sensitivity_90", 0.4
        yield *nobody, protocol, "subject_sensitivity_95", 0.2
    for step in range(11):
        yield *nobody, f"pooled_recall_{step / 10:.2f}", "precision_at_recall", 1 - 0.09 * step
    for step in range(20):
        for tissue in ("healthy", "lesion"):
            yield *nobody, f"pooled_score_{0.05 * step + 0.025:.6g}", f"voxel_share_{tissue}", 0.05


def _training(folder: Path, method: str, place: int) -> Path:
    path = folder / f"{method}.json"
    identity = {"cohort": "own", "modality": "T1w", "method": method, "seed": "0"}
    path.write_text(json.dumps({"identity": identity, "parameter_count": 1_000_000 * place, "seconds": 60.0}))
    return path
