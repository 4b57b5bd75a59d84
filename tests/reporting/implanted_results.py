"""A test set of implanted lesions on a grid of volumes and contrasts: made-up outcomes of methods of known ability."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.special import expit

from madad.core.seeds import numpy_generator
from madad.evaluation.results.long_table import COLUMNS
from madad.evaluation.results.protocol_table import FROC_DRAWN, froc_point
from madad.evaluation.results.sample_covariates import COLUMNS as SAMPLE
from madad.evaluation.statistics.summary import summarise

VOLUMES, CONTRASTS = (1.0, 3.0, 10.0, 30.0), (0.2, 0.4)
PROTOCOLS = ("one_fp_per_scan", "validation")
# Of the logistic curve: intercept, and slopes per tenfold volume and contrast.
ABILITIES = {"weak": (-2.0, 2.0, 2.0), "strong": (2.5, 4.0, 4.0)}


def build(
    folder: Path,
    abilities: Mapping[str, tuple[float, float, float]] = ABILITIES,
    *,
    subjects: int = 6,
    seeds: tuple[str, ...] = ("0", "1"),
    change: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
    known: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
) -> SimpleNamespace:
    """Metrics, samples and summary of one test set below a folder.

    Args:
        change, known: applied to the rows of the long table and of the samples before they are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = pd.DataFrame([row for number in range(subjects) for row in _samples(number)], columns=list(SAMPLE))
    rows = []
    for (method, ability), seed in product(abilities.items(), seeds):
        shared = ("own", "T1w", "own-implanted", method, seed, "test")
        generator = numpy_generator("implanted", method, seed)
        rows += [(*shared, *row) for row in [*_of_samples(samples, ability, generator), *_curve(ability)]]
    paths = {name: folder / f"{name}.csv" for name in ("metrics", "samples", "summary")}
    change(pd.DataFrame(rows, columns=list(COLUMNS))).to_csv(paths["metrics"], index=False, na_rep="nan")
    known(samples).to_csv(paths["samples"], index=False)
    summarise(paths["metrics"], paths["summary"])
    return SimpleNamespace(**paths, methods=tuple(abilities), subjects=subjects)


def _samples(number: int):
    who = {
        "testset": "own-implanted",
        "modality": "T1w",
        "subject": f"s{number}",
        "age": 30 + 10 * number,
        "sex": "FM"[number % 2],
    }
    yield {**who, "sample": f"s{number}", "group": "healthy", "lesion_ml": 0}
    for place, (volume, contrast) in enumerate(product(VOLUMES, CONTRASTS)):
        lesion = {
            "volume_ml": volume,
            "asked_contrast": contrast,
            "contrast": contrast,
            "lesion_ml": 0.97 * volume,
            "place": ("deep_grey", "cortical")[place % 2],
        }
        yield {**who, **lesion, "sample": f"s{number}_lesion-{place}", "group": "implanted", "lesions": 1}


def _of_samples(samples: pd.DataFrame, ability: tuple[float, float, float], generator: np.random.Generator):
    for one in samples.itertuples():
        who = (one.sample, one.subject, one.group)
        for protocol in PROTOCOLS:
            yield *who, protocol, "false_positive_components", float(generator.poisson(1))
        if one.group == "healthy":
            continue
        chance = expit(ability[0] + ability[1] * np.log10(one.volume_ml) + ability[2] * np.log10(one.contrast))
        found = float(generator.random() < chance)
        for metric in ("lesion_sensitivity", "lesion_sensitivity_iou", "lesion_precision", "lesion_f1"):
            for protocol in PROTOCOLS:
                yield *who, protocol, metric, found
        yield *who, "validation", "hd95", 100 - 90 * found
        yield *who, "validation", "nsd_2mm", 0.5 * found
        yield *who, "validation", "volume_error_ml", -one.volume_ml * (1 - found)
        yield *who, "validation", "dice", 0.6 * chance
        yield *who, "per_subject", "auprc", 0.8 * chance


def _curve(ability: tuple[float, float, float]):
    best = expit(ability[0])
    for place, number in enumerate(FROC_DRAWN):
        found = best * (place + 1) / len(FROC_DRAWN)
        bounds = {
            "froc_sensitivity": found,
            "froc_sensitivity_low": 0.8 * found,
            "froc_sensitivity_high": found + 0.2 * (1 - found),
        }
        for metric, value in bounds.items():
            yield "", "", "", froc_point(number).name, metric, value
    for number in (0.5, 1, 2, 4, 8):
        yield "", "", "", f"froc_{number:g}", "lesion_sensitivity_iou", best
