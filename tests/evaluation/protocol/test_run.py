from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from madad.core.io.hdf5 import MISSING, REFERENCE
from madad.evaluation.metrics.ordinal_scores import to_scores
from madad.evaluation.protocol.postprocessing import coded, erode, score_inside
from madad.evaluation.results.long_table import COLUMNS
from tests.evaluation.cases import BRAIN, FULL, PLAIN, SHAPE, Case, predicted


def test_every_row_is_named(tmp_path: Path) -> None:
    rows = Case(tmp_path, FULL).rows()
    assert list(rows[0]) == list(COLUMNS)
    assert {(row["cohort"], row["method"], row["seed"]) for row in rows} == {("toy", "ddpm", "3")}
    assert all(row["protocol"] and row["metric"] and row["value"] for row in rows)
    keys = [tuple(row[key] for key in ("sample", "protocol", "metric")) for row in rows]
    assert len(set(keys)) == len(keys)


def test_ranking_is_that_of_the_post_processed_brain(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    sample = case.samples["test"][2]
    noise, inner = predicted(sample, "test").anomaly_map.astype(np.float16), erode(BRAIN, 1)
    case.write_maps(lambda one: predicted(one, "test").anomaly_map.astype(np.float16))
    scores, reference = to_scores(score_inside(coded(noise, BRAIN), inner, 3)[inner]), sample.lesion[inner]
    assert case.values("auprc", "per_subject")["sub-2"] == pytest.approx(average_precision_score(reference, scores), abs=1e-7)
    assert case.values("auroc", "per_subject")["sub-2"] == pytest.approx(roc_auc_score(reference, scores), abs=1e-7)


def test_pooled_metric_is_that_of_all_voxels(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    pairs = [(predicted(s, "test").anomaly_map.astype(np.float32)[BRAIN], s.lesion[BRAIN]) for s in case.samples["test"][2:]]
    scores, reference = (np.concatenate(part) for part in zip(*pairs, strict=True))
    assert case.values("auprc", "pooled", PLAIN)[""] == pytest.approx(average_precision_score(reference, scores), abs=1e-7)


def test_perfect_map_is_perfect_under_every_protocol(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL, perfect=True)
    for protocol in ("oracle_test", "oracle_subject", "validation", "healthy_fpr_1", "healthy_fpr_5"):
        assert set(case.values("dice", protocol, PLAIN).values()) == {1.0}
    assert case.values("subject_auroc", "mean", PLAIN)[""] == 1


def test_oracles_are_ceilings_before_components_are_removed(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    oracle = case.values("dice", "oracle_subject", PLAIN)
    for protocol in ("oracle_test", "validation", "healthy_fpr_5"):
        assert all(value <= oracle[name] + 1e-9 for name, value in case.values("dice", protocol, PLAIN).items())


def test_healthy_rate_carries_over_to_alike_subjects(tmp_path: Path) -> None:
    rates = Case(tmp_path, FULL).values("false_positive_rate", "healthy_fpr_5", PLAIN)
    assert rates["sub-0"] == pytest.approx(0.05, abs=0.03)


@pytest.mark.parametrize(("groups", "lost"), [(["healthy"], {"validation"}), (["patient"], {"healthy_fpr_1", "healthy_fpr_5"})])
def test_lost_protocol_is_nan_with_a_reason(tmp_path: Path, capsys, groups: list[str], lost: set[str]) -> None:
    case = Case(tmp_path, {"validation": groups, "test": FULL["test"]})
    for protocol in ("validation", "healthy_fpr_1", "healthy_fpr_5", "oracle_test"):
        values = list(case.values("dice", protocol).values())
        assert len(values) == 2
        assert np.isnan(values).all() == (protocol in lost)
    told = capsys.readouterr().err
    assert all(f"{protocol}: no threshold, because" in told for protocol in lost)


def test_test_pack_alone_is_enough(tmp_path: Path) -> None:
    values = Case(tmp_path, {"test": FULL["test"]}).values("dice", "validation")
    assert len(values) == 2
    assert np.isnan(list(values.values())).all()


def test_healthy_test_set_alone_gives_no_ranking(tmp_path: Path) -> None:
    case = Case(tmp_path, {"validation": ["healthy"], "test": ["healthy", "healthy"]})
    assert np.isnan(case.values("auprc", "pooled")[""])
    assert case.values("auprc", "per_subject") == {}
    assert np.isnan(case.values("subject_auroc", "mean")[""])


def test_patient_without_a_lesion_in_the_brain(tmp_path: Path, capsys) -> None:
    case = Case(tmp_path, FULL)
    case.samples["test"][2] = replace(case.samples["test"][2], lesion=np.zeros(SHAPE, dtype=bool))
    case.write_packs()
    assert np.isnan(case.values("auprc", "per_subject")["sub-2"])
    for metric in ("dice", "hd95", "lesion_f1", "sensitivity"):
        assert np.isnan(case.values(metric, "oracle_test")["sub-2"])
    assert np.isfinite(case.values("false_positive_components", "oracle_test")["sub-2"])
    assert "sub-2: a patient sample without a lesion voxel" in capsys.readouterr().err


def test_fidelity_is_of_healthy_subjects(tmp_path: Path) -> None:
    values = Case(tmp_path, FULL).values("l1", "healthy_brain")
    assert set(values) == {"sub-0", "sub-1"}
    assert values["sub-0"] == pytest.approx(0.04, abs=0.005)


def test_method_without_reconstruction_has_no_fidelity(tmp_path: Path) -> None:
    assert Case(tmp_path, FULL, reconstructs=False).values("l1", "healthy_brain") == {}


def test_cost_is_of_every_test_subject(tmp_path: Path) -> None:
    assert Case(tmp_path, FULL).values("seconds", "inference") == {f"sub-{n}": 1.5 for n in range(4)}


def test_flagged_share_is_told_of_healthy_scans_and_of_patients(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL, flagged_share=0.25)
    of = {protocol: case.values("flagged_share", protocol) for protocol in ("flagged_healthy", "flagged_patients")}
    groups = {sample.name: sample.group for sample in case.samples["test"]}
    assert of["flagged_healthy"] == {name: 0.25 for name, group in groups.items() if group == "healthy"}
    assert of["flagged_patients"] == {name: 0.25 for name, group in groups.items() if group != "healthy"}
    assert Case(tmp_path, FULL).values("flagged_share", "flagged_patients") == {}


def test_people_of_an_unknown_group_count_as_neither_healthy_nor_patients(tmp_path: Path) -> None:
    case = Case(tmp_path, {**FULL, "test": ["healthy", "healthy", "patient", "unknown"]}, flagged_share=0.25)
    flagged = {protocol: set(case.values("flagged_share", protocol)) for protocol in ("flagged_healthy", "flagged_patients")}
    assert flagged == {"flagged_healthy": {"sub-0", "sub-1"}, "flagged_patients": {"sub-2"}}
    assert case.values("unmarked", "volumes") == {"": 1}


def test_person_behind_an_implanted_sample_is_named(tmp_path: Path) -> None:
    rows = Case(tmp_path, {"validation": ["healthy", "implanted"], "test": ["healthy"] * 3 + ["implanted"] * 3}).rows()
    assert {(row["sample"], row["subject"]) for row in rows if row["sample"]} >= {("sub-0", "sub-0"), ("sub-3", "sub-0")}


def test_scoring_again_gives_the_same_bytes(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    case.rows()
    first = case.out.read_bytes()
    case.rows()
    assert case.out.read_bytes() == first


def test_unknown_truth_is_not_empty_truth(tmp_path: Path, capsys) -> None:
    """A patient whose lesions nobody has drawn changes no number that needs them, and is counted."""
    (tmp_path / "without").mkdir()
    groups = {**FULL, "test": [*FULL["test"], "patient"]}
    case = Case(tmp_path, groups)
    unmarked = replace(case.samples["test"][4], lesion=np.zeros(SHAPE, dtype=bool))
    case.samples["test"][4] = replace(unmarked, covariates={**unmarked.covariates, REFERENCE: MISSING})
    case.write_packs()
    rows = {(row["sample"], row["protocol"], row["metric"]): row["value"] for row in case.rows(PLAIN)}
    assert {key[2] for key in rows if key[0] == "sub-4"} == {"subject_score", "brain_ml", "seconds", "peak_memory_mb"}
    assert rows["", "volumes", "unmarked"] == "1"
    assert "sub-4: a sample without a reference mask (group patient)" in capsys.readouterr().err
    same = Case(tmp_path / "without", FULL).rows(PLAIN)
    reductions = {"mean", "p99", "max", "top100", "volume", "volumes"}
    kept = {(row["sample"], row["protocol"], row["metric"]): row["value"] for row in same if row["protocol"] not in reductions}
    assert {key: rows[key] for key in kept} == kept


def test_a_subject_of_unknown_group_is_neither_diseased_nor_healthy(tmp_path: Path) -> None:
    """Its scores are kept and shown, but no number of the test set changes, subject-level detection included."""
    (tmp_path / "without").mkdir()
    case = Case(tmp_path, {**FULL, "test": [*FULL["test"], "unknown"]})
    case.samples["test"][4] = replace(case.samples["test"][4], lesion=np.zeros(SHAPE, dtype=bool))
    case.write_packs()
    found = {(row["sample"], row["protocol"], row["metric"]): row["value"] for row in case.rows(PLAIN)}
    assert ("sub-4", "mean", "subject_score") in found and ("sub-4", "per_subject", "auprc") not in found
    same = Case(tmp_path / "without", FULL).rows(PLAIN)
    kept = {
        ("", row["protocol"], row["metric"]): row["value"] for row in same if not row["sample"] and row["metric"] != "unmarked"
    }
    assert {key: found[key] for key in kept} == kept
    assert found["", "volumes", "unmarked"] == "1"
