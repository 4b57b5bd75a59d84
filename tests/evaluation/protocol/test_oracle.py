"""An oracle is a ceiling: no other protocol with a threshold prints a higher mean Dice from the same maps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from madad.core.io.hdf5 import Sample
from madad.evaluation.protocol.subject_curves import SubjectCurves
from madad.evaluation.results.long_table import read
from madad.evaluation.results.protocol_table import ORACLE_TEST, STEPS, VALIDATION, after_step, chosen
from tests.evaluation.cases import BRAIN, OPTIONS, SHAPE, Case

GROUPS = {"validation": [*["healthy"] * 3, *["patient"] * 3], "test": ["healthy", *["patient"] * 8]}
CHOSEN = [protocol.name for protocol in chosen()]


def blotches(sample: Sample, seed: int) -> np.ndarray:
    """A map whose lesions stand out more or less, whose scale differs by subject, and that has specks of high scores."""
    generator = np.random.default_rng([seed, len(sample.lesion.nonzero()[0]), int(sample.image.sum() * 1e3)])
    noise = generator.random(SHAPE) * generator.uniform(0.5, 2)
    specks = (generator.random(SHAPE) < 0.04) * generator.uniform(0.5, 2)
    part = sample.lesion & (generator.random(SHAPE) < generator.uniform(0.3, 1))
    return np.where(BRAIN, noise + specks + generator.uniform(0.2, 1.5) * part, 0).astype(np.float32)


def means(case: Case, options: dict) -> dict[str, float]:
    """Mean Dice over subjects by protocol, as the tables print it."""
    by_subject: dict[str, dict[str, list[float]]] = {}
    for row in case.rows(options):
        if row["metric"] == "dice" and row["sample"]:
            by_subject.setdefault(row["protocol"], {}).setdefault(row["subject"], []).append(float(row["value"]))
    return {name: float(np.mean([np.mean(own) for own in values.values()])) for name, values in by_subject.items()}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("min_component", [0, 3, 12])
def test_oracle_is_never_below_another_threshold(tmp_path: Path, seed: int, min_component: int) -> None:
    case = Case(tmp_path, GROUPS)  # three samples of most subjects
    case.write_maps(lambda sample: blotches(sample, seed))
    found = means(case, {**OPTIONS, "erosion": 0, "min_component": min_component})
    others = {name: found[name] for name in CHOSEN if not np.isnan(found[name])}
    assert len(others) > 4
    assert max(others, key=lambda name: (round(others[name], 9), name == ORACLE_TEST.name)) == ORACLE_TEST.name
    for step in STEPS:
        own = [found[after_step(step, base).name] for base in (ORACLE_TEST, VALIDATION)]
        assert step == "components" or own[0] >= own[1] - 1e-9


def test_pooled_oracle_is_the_ceiling_of_pooled_dice(tmp_path: Path) -> None:
    case = Case(tmp_path, GROUPS)
    case.write_maps(lambda sample: blotches(sample, 1))
    case.rows({**OPTIONS, "erosion": 0})
    pooled = {row["protocol"]: float(row["value"]) for row in read(case.out) if row["metric"] == "dice_pooled"}
    assert pooled["pooled_best"] >= max(value for value in pooled.values() if not np.isnan(value))


def test_subject_counts_once_however_many_samples_it_has() -> None:
    curves = SubjectCurves(Counter({"a": 3, "b": 1}))
    curves.add("a", {"x": np.array([1.0])})
    curves.add("b", {"x": np.array([5.0])})
    curves.add("a", {})  # a healthy scan of the same person
    assert curves.totals["x"] == 5
    curves.add("a", {"x": np.array([3.0])})
    assert curves.totals["x"] == 5 + 2
