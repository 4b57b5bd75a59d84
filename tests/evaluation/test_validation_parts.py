"""No healthy validation subject serves two choices where there are enough of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from madad.core.io.hdf5 import Prediction, Sample, write_maps, write_pack
from madad.core.validation_parts import part_of
from madad.evaluation.protocol.run import evaluate
from madad.evaluation.results.long_table import read
from tests.evaluation.cases import AFFINE, BRAIN, IDENTITY, PLAIN, SHAPE


def thresholds(folder: Path, number: int, **higher: float) -> dict[str, float]:
    """Thresholds with healthy validation subjects whose scores are raised in some parts."""
    folder.mkdir()
    samples = {}
    for split, count in (("validation", number), ("test", 2)):
        samples[split] = []
        for place in range(count):
            lesion = np.zeros(SHAPE, dtype=bool)
            lesion[3:6, 4:8, 4:8] = split == "test"
            image = np.where(BRAIN, 0.5, 0).astype(np.float32)
            group = "patient" if split == "test" else "healthy"
            samples[split].append(Sample(f"sub-{split}-{place}", group, image, BRAIN, lesion, {}))
        write_pack(folder / f"{split}.h5", iter(samples[split]), affine=AFFINE, modality="T1w", cohort="toy", split=split)

    def scores(sample: Sample) -> np.ndarray:
        noise = np.random.default_rng([len(sample.name), int(sample.name.split("-")[-1])]).random(SHAPE)
        return np.where(BRAIN, noise + (higher.get(part_of(sample.name), 0.0) if "validation" in sample.name else 0), 0)

    made = [Prediction(one.name, split, scores(one), None, 1.0, 1.0) for split, own in samples.items() for one in own]
    write_maps(folder / "maps.h5", iter(made), IDENTITY)
    evaluate(folder / "maps.h5", [folder / "validation.h5", folder / "test.h5"], PLAIN, IDENTITY, folder / "m.tsv")
    wanted = {"threshold", "shared_validation"}
    return {(r["protocol"], r["metric"]): float(r["value"]) for r in read(folder / "m.tsv") if r["metric"] in wanted}


def test_each_part_moves_its_own_threshold_alone(tmp_path: Path) -> None:
    plain = thresholds(tmp_path / "plain", 40)
    assert plain["volumes", "shared_validation"] == 0
    moved = {
        "thresholds": {"healthy_fpr_1", "healthy_fpr_5", "one_fp_per_scan"},
        "calibration": {"conformal_fpr_1"},
        "checkpoint": set(),
    }
    for part, names in moved.items():
        found = thresholds(tmp_path / part, 40, **{part: 3.0})
        assert {name for (name, metric), value in found.items() if metric == "threshold" and value > 1.5} == names


def test_few_subjects_serve_all_and_it_is_recorded(tmp_path: Path) -> None:
    found = thresholds(tmp_path / "few", 10, thresholds=3.0, calibration=3.0, checkpoint=3.0)
    assert found["volumes", "shared_validation"] == 10
    assert found["healthy_fpr_1", "threshold"] > 3 and found["conformal_fpr_1", "threshold"] == pytest.approx(4, abs=0.1)
