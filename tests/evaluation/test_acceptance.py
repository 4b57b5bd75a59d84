"""What anybody may demand of an evaluation: known maps get known numbers, and nothing but maps and packs matters."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from madad.evaluation.protocol.run import evaluate
from madad.evaluation.results.protocol_table import chosen
from tests.evaluation.cases import AFFINE, BRAIN, FULL, IDENTITY, PLAIN, SHAPE, Case

CHOSEN = [protocol.name for protocol in chosen()]

MANY = {"validation": ["healthy"] * 9 + ["patient"] * 2, "test": ["healthy"] * 2 + ["patient"] * 3}
PERFECT = {
    "dice": 1,
    "precision": 1,
    "sensitivity": 1,
    "false_positive_rate": 0,
    "volume_error_ml": 0,
    "lesions": 1,
    "lesion_sensitivity": 1,
    "lesion_precision": 1,
    "lesion_f1": 1,
    "false_positive_components": 0,
    "hd95": 0,
    "nsd_2mm": 1,
}
# of the box around the brain, which is smaller than the image
DIAGONAL_MM = float(np.linalg.norm(np.ptp(np.argwhere(BRAIN), axis=0) + 1) * AFFINE[0, 0])
MISSED = {
    "dice": 0,
    "precision": 0,
    "sensitivity": 0,
    "false_positive_rate": 0,
    "lesion_sensitivity": 0,
    "lesion_precision": 0,
    "lesion_f1": 0,
    "false_positive_components": 0,
    "hd95": DIAGONAL_MM,
    "nsd_2mm": 0,
}


def many(folder: Path, **options: bool) -> Case:
    """Enough healthy validation subjects, every sample of another person, for a conformal threshold."""
    case = Case(folder, MANY, **options)
    for samples in case.samples.values():
        for sample in samples:
            sample.covariates["subject"] = sample.name
    case.write_packs()
    return case


def of_samples(rows: list[dict[str, str]], protocol: str, group: str = "patient") -> dict[str, set[float]]:
    found: dict[str, set[float]] = {}
    for row in rows:
        if (row["protocol"], row["group"]) == (protocol, group):
            found.setdefault(row["metric"], set()).add(float(row["value"]))
    return found


def of_everybody(rows: list[dict[str, str]]) -> dict[tuple[str, str], float]:
    return {(row["protocol"], row["metric"]): float(row["value"]) for row in rows if not row["sample"]}


@pytest.mark.parametrize("protocol", [*CHOSEN, "oracle_subject"])
def test_the_truth_as_a_map_is_perfect(tmp_path: Path, protocol: str) -> None:
    found = of_samples(many(tmp_path, perfect=True).rows(PLAIN), protocol)
    assert {name: found[name] for name in PERFECT} == {name: {value} for name, value in PERFECT.items()}


def test_the_truth_as_a_map_is_perfect_for_the_test_set(tmp_path: Path) -> None:
    rows = many(tmp_path, perfect=True).rows(PLAIN)
    found = of_everybody(rows)
    assert of_samples(rows, "per_subject")["auprc"] == of_samples(rows, "per_subject")["pauroc_5"] == {1.0}
    assert {found["pooled", "auprc"], found["pooled", "auroc"], found["oracle_slice", "dice_slice"]} == {1.0}
    assert {found[f"froc_{number}", "lesion_sensitivity_iou"] for number in ("0.5", "1", "2", "4", "8")} == {1.0}
    for reduction in ("mean", "max", "top100", "volume"):  # the cube is less than 1 % of the brain, which p99 cannot see
        assert found[reduction, "subject_auroc"] == found[reduction, "subject_sensitivity_95"] == 1
    for step in ("none", "erosion", "components"):
        assert of_samples(rows, f"post_{step}_oracle_test")["dice"] == {1.0}
    # a window of 10 mm wears away a cube of 8 mm: this is why it is no part of the main protocol
    assert max(of_samples(rows, "post_median_oracle_test")["dice"]) < 0.5


@pytest.mark.parametrize("protocol", ["healthy_fpr_1", "healthy_fpr_5", "conformal_fpr_1", "one_fp_per_scan"])
def test_an_empty_map_pays_the_declared_penalties(tmp_path: Path, protocol: str) -> None:
    case = many(tmp_path)
    case.write_maps(lambda sample: np.zeros(SHAPE))
    rows = case.rows(PLAIN)
    found = of_samples(rows, protocol)
    assert all(len(found[name]) == 1 for name in MISSED)
    assert {name: min(found[name]) for name in MISSED} == pytest.approx(MISSED)
    assert of_samples(rows, protocol, "healthy")["false_positive_components"] == {0.0}
    assert of_samples(rows, "per_subject")["auprc"] == of_samples(rows, "per_subject")["prevalence"]
    assert of_everybody(rows)["mean", "subject_auroc"] == 0.5


def test_scoring_again_gives_the_same_bytes_on_any_number_of_processes(tmp_path: Path) -> None:
    case, written = Case(tmp_path, FULL), []
    for workers in (1, 1, 2, 3):
        case.rows({**PLAIN, "published": "behrendt"}, workers=workers)
        written.append((case.out.read_bytes(), (tmp_path / "mean_maps.npz").read_bytes()))
    assert len(set(written)) == 1


def test_the_order_of_methods_changes_nothing(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    maps = {"good": tmp_path / "good.h5", "bad": tmp_path / "bad.h5"}
    for name, strength in (("good", 1.0), ("bad", 0.1)):
        noise = np.random.default_rng(0).random(SHAPE)
        case.write_maps(lambda sample, s=strength, n=noise: n + s * sample.lesion, {**IDENTITY, "method": name})
        shutil.copy(case.maps, maps[name])
    written = []
    for order in (("good", "bad"), ("bad", "good")):
        for name in order:
            evaluate(maps[name], case.packs, PLAIN, {**IDENTITY, "method": name}, tmp_path / name / "metrics.tsv")
        written.append([(tmp_path / name / "metrics.tsv").read_bytes() for name in maps])
    assert written[0] == written[1]
