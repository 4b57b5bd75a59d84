from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from madad.errors import UserError
from madad.evaluation.long_table import COLUMNS, read
from madad.evaluation.postprocessing import Sizes, post_process
from madad.evaluation.protocol import evaluate
from madad.evaluation.scores import to_scores
from madad.stores import Prediction, Sample, write_maps, write_pack

IDENTITY = {"cohort": "toy", "modality": "T1w", "testset": "toy", "method": "ddpm", "seed": "3"}
OPTIONS = {"erosion": 1, "median": 3, "min_component": 2, "bootstrap": 100}
PLAIN = {"erosion": 0, "median": 0, "min_component": 0, "bootstrap": 100}
SHAPE = (8, 14, 12)
BRAIN = np.zeros(SHAPE, dtype=bool)
BRAIN[1:7, 1:13, 1:11] = True


def subject(split: str, number: int, group: str) -> Sample:
    """A subject of noise; those who are not healthy carry a bright cube."""
    generator = np.random.default_rng([len(split), number])
    lesion = np.zeros(SHAPE, dtype=bool)
    if group != "healthy":
        lesion[3:6, 4:8, 4:8] = True
    image = np.where(BRAIN, 0.3 + 0.2 * generator.random(SHAPE), 0).astype(np.float32)
    return Sample(f"sub-{number}", group, image, BRAIN, lesion, {"subject": f"sub-{number % 3}"})


def predicted(sample: Sample, split: str, *, perfect: bool = False, reconstructs: bool = True) -> Prediction:
    """A map that knows the lesion, with noise or without."""
    noise = np.random.default_rng(len(sample.name)).random(SHAPE)
    scores = np.where(BRAIN, sample.lesion if perfect else noise + 0.4 * sample.lesion, 0)
    return Prediction(sample.name, split, scores, sample.image * 0.9 if reconstructs else None, 1.5, 100.0)


class Case:
    """Packs and maps of a toy test set in a folder."""

    def __init__(self, folder: Path, groups: dict[str, list[str]], **options: bool) -> None:
        self.out = folder / "metrics.tsv"
        self.maps = folder / "maps.h5"
        self.samples = {s: [subject(s, i, group) for i, group in enumerate(groups[s])] for s in groups}
        self.packs = [folder / f"{split}.h5" for split in groups]
        for path, (split, samples) in zip(self.packs, self.samples.items(), strict=True):
            write_pack(path, iter(samples), affine=np.diag([2.0, 2, 2, 1]), modality="T1w", cohort="toy", split=split)
        write_maps(self.maps, self._predictions(**options), IDENTITY)

    def _predictions(self, **options: bool) -> Iterator[Prediction]:
        for split, samples in self.samples.items():
            yield from (predicted(sample, split, **options) for sample in samples)

    def rows(self, options: dict = OPTIONS) -> list[dict[str, str]]:
        evaluate(self.maps, self.packs, options, IDENTITY, self.out)
        return read(self.out)

    def values(self, metric: str, protocol: str, options: dict = OPTIONS) -> dict[str, float]:
        rows = self.rows(options)
        return {row["sample"]: float(row["value"]) for row in rows if (row["metric"], row["protocol"]) == (metric, protocol)}


FULL = {"validation": ["healthy", "patient"], "test": ["healthy", "healthy", "patient", "patient"]}


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
    noise = predicted(sample, "test").anomaly_map.astype(np.float16)
    scores, reference = to_scores(post_process(noise, BRAIN, Sizes(1, 3, 2))[BRAIN]), sample.lesion[BRAIN]
    assert case.values("auprc", "per_subject")["sub-2"] == pytest.approx(average_precision_score(reference, scores), abs=1e-7)
    assert case.values("auroc", "per_subject")["sub-2"] == pytest.approx(roc_auc_score(reference, scores), abs=1e-7)


def test_pooled_metric_is_that_of_all_voxels(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    pairs = [(predicted(s, "test").anomaly_map.astype(np.float16)[BRAIN], s.lesion[BRAIN]) for s in case.samples["test"][2:]]
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


def test_patient_without_a_lesion_in_the_brain(tmp_path: Path, capsys, monkeypatch) -> None:
    case = Case(tmp_path, FULL)
    empty = Sample("sub-2", "patient", case.samples["test"][2].image, BRAIN, np.zeros(SHAPE, dtype=bool), {})
    samples = [*case.samples["test"][:2], empty, case.samples["test"][3]]
    write_pack(case.packs[1], iter(samples), affine=np.eye(4), modality="T1w", cohort="toy", split="test")
    assert np.isnan(case.values("auprc", "per_subject")["sub-2"])
    assert case.values("dice", "oracle_test")["sub-2"] in (0.0, 1.0)
    assert "sub-2: a patient sample without a lesion voxel" in capsys.readouterr().err


def test_fidelity_is_of_healthy_subjects(tmp_path: Path) -> None:
    values = Case(tmp_path, FULL).values("l1", "healthy_brain")
    assert set(values) == {"sub-0", "sub-1"}
    assert values["sub-0"] == pytest.approx(0.04, abs=0.005)


def test_method_without_reconstruction_has_no_fidelity(tmp_path: Path) -> None:
    assert Case(tmp_path, FULL, reconstructs=False).values("l1", "healthy_brain") == {}


def test_cost_is_of_every_test_subject(tmp_path: Path) -> None:
    assert Case(tmp_path, FULL).values("seconds", "inference") == {f"sub-{n}": 1.5 for n in range(4)}


def test_person_behind_an_implanted_sample_is_named(tmp_path: Path) -> None:
    rows = Case(tmp_path, {"validation": ["healthy", "implanted"], "test": ["healthy"] * 3 + ["implanted"] * 3}).rows()
    assert {(row["sample"], row["subject"]) for row in rows if row["sample"]} >= {("sub-0", "sub-0"), ("sub-3", "sub-0")}


def test_scoring_again_gives_the_same_bytes(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    case.rows()
    first = case.out.read_bytes()
    case.rows()
    assert case.out.read_bytes() == first


def test_map_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    case = Case(tmp_path, {"test": ["patient"]})
    broken = Prediction("sub-0", "test", np.full(SHAPE, np.nan), None, 1.0, 1.0)
    write_maps(case.maps, iter([broken]), IDENTITY)
    with pytest.raises(UserError, match="sub-0 holds NaN"):
        case.rows()


def test_map_on_another_grid_is_refused(tmp_path: Path) -> None:
    case = Case(tmp_path, {"test": ["patient"]})
    write_maps(case.maps, iter([Prediction("sub-0", "test", np.zeros((2, 3, 4)), None, 1.0, 1.0)]), IDENTITY)
    with pytest.raises(UserError, match=r"shape \(2, 3, 4\)"):
        case.rows()


def test_missing_map_is_refused(tmp_path: Path) -> None:
    case = Case(tmp_path, {"test": ["patient", "healthy"]})
    write_maps(case.maps, iter([predicted(case.samples["test"][0], "test")]), IDENTITY)
    with pytest.raises(UserError, match="no map of sub-1"):
        case.rows()
