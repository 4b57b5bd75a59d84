"""What no map may gain or lose by the protocol: chance is chance, the truth wins, and the scale of scores means nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from madad.core.io.hdf5 import Prediction, Sample, write_maps, write_pack
from madad.evaluation.protocol.run import evaluate
from madad.evaluation.results.long_table import read
from madad.evaluation.results.protocol_table import chosen

IDENTITY = {"cohort": "toy", "modality": "T1w", "testset": "toy", "method": "any", "seed": "0"}
SHAPE = (9, 30, 28)
# The main protocol, and one that is configured with every step.
PROTOCOLS = {"main": {}, "every step": {"erosion": 1, "median": 3, "min_component": 4}}
REDUCTIONS = ("mean", "p99", "max", "top100", "volume")
Rows = dict[tuple[str, str, str], float]
Scores = Callable[[Sample, np.random.Generator], np.ndarray]


def cohort(seed: int, patients: int, healthy: int) -> dict[str, list[Sample]]:
    """Brains of many shapes; those of patients are rounder, so that erosion takes another share of them. Lesions lie anywhere."""
    generator, samples = np.random.default_rng(seed), {}
    for split in ("validation", "test"):
        groups = ["healthy"] * healthy + ["patient"] * patients
        samples[split] = [_subject(generator, f"sub-{number:03d}", group) for number, group in enumerate(groups)]
    return samples


def _subject(generator: np.random.Generator, name: str, group: str) -> Sample:
    stretch = np.array([1, 1, 1]) if group == "patient" else np.array([1, 1.15, 0.8])
    radius = np.array(SHAPE) * generator.uniform(0.4, 0.46) * stretch
    middle = (np.indices(SHAPE) - (np.array(SHAPE)[:, None, None, None] - 1) / 2) / radius[:, None, None, None]
    brain, lesion = (middle**2).sum(axis=0) < 1, np.zeros(SHAPE, dtype=bool)
    if group == "patient":
        seeds = np.zeros(SHAPE, dtype=bool)
        seeds.ravel()[generator.choice(np.flatnonzero(brain), 3)] = True
        lesion = ndimage.binary_dilation(seeds, iterations=int(generator.integers(1, 3)))
        lesion[:, int(generator.integers(8, 20))] |= generator.random((SHAPE[0], SHAPE[2])) < 0.1  # thin and scattered parts
    image = np.where(brain, 0.5, 0).astype(np.float32)
    return Sample(name, group, image, brain, lesion & brain, {"subject": name})


def scored(folder: Path, samples: dict[str, list[Sample]], scores: Scores, **options: object) -> Rows:
    generator, packs = np.random.default_rng(7), [folder / f"{split}.h5" for split in samples]
    for path, (split, own) in zip(packs, samples.items(), strict=True):
        write_pack(path, iter(own), affine=np.diag([2.0, 2, 2, 1]), modality="T1w", cohort="toy", split=split)
    predictions = (
        Prediction(one.name, split, np.where(one.brain, scores(one, generator), 0), None, 1.0, 1.0)
        for split, own in samples.items()
        for one in own
    )
    write_maps(folder / "maps.h5", predictions, IDENTITY)
    evaluate(folder / "maps.h5", packs, {"bootstrap": 100, **options}, IDENTITY, folder / "metrics.tsv")
    return {(row["sample"], row["protocol"], row["metric"]): float(row["value"]) for row in read(folder / "metrics.tsv")}


def of(rows: Rows, protocol: str, metric: str) -> np.ndarray:
    """The values of samples, or that of the test set where there is one."""
    return np.array([value for (_, own, name), value in rows.items() if (own, name) == (protocol, metric)])


CONSTANTS: dict[str, Scores] = {"one": lambda one, _: np.ones(SHAPE), "below 0": lambda one, _: np.full(SHAPE, -3.0)}


@pytest.mark.parametrize("constant", CONSTANTS)
@pytest.mark.parametrize("options", PROTOCOLS.values(), ids=list(PROTOCOLS))
def test_a_constant_map_is_chance(tmp_path: Path, options: dict, constant: str) -> None:
    rows = scored(tmp_path, cohort(0, 6, 6), CONSTANTS[constant], **options)
    prevalence = of(rows, "per_subject", "prevalence")
    assert prevalence.size == 6 and of(rows, "per_subject", "auprc") == pytest.approx(prevalence)
    for protocol in ("per_subject", "pooled"):
        assert of(rows, protocol, "auroc") == pytest.approx(0.5)
    assert of(rows, "per_subject", "pauroc_5") == pytest.approx(0.5)
    if not options:
        assert of(rows, "post_median", "auprc") == pytest.approx(prevalence)
    for reduction in REDUCTIONS:
        assert rows["", reduction, "subject_auroc"] == 0.5, reduction


@pytest.mark.parametrize("step", ["erosion", "median", "chain"])
def test_a_constant_map_is_chance_after_every_step(tmp_path: Path, step: str) -> None:
    """Where a step takes voxels away, the rest is compared with itself."""
    samples = cohort(1, 5, 1)
    flat = scored(tmp_path, samples, CONSTANTS["one"])
    found, lesion = of(flat, f"post_{step}", "auprc"), []
    plane = ndimage.generate_binary_structure(2, 1)[None]
    for one in samples["test"][1:]:
        inside = one.brain if step == "median" else ndimage.binary_erosion(one.brain, plane, iterations=3)
        lesion.append(one.lesion[inside].mean())
    assert found == pytest.approx([share or np.nan for share in lesion], nan_ok=True)


@pytest.mark.parametrize("options", PROTOCOLS.values(), ids=list(PROTOCOLS))
def test_a_random_map_is_chance_within_noise(tmp_path: Path, options: dict) -> None:
    rows = scored(tmp_path, cohort(2, 40, 40), lambda one, generator: generator.random(SHAPE), **options)
    aurocs, gain = of(rows, "per_subject", "auroc"), of(rows, "per_subject", "auprc") - of(rows, "per_subject", "prevalence")
    for values, chance in ((aurocs, 0.5), (gain, 0)):
        values = values[np.isfinite(values)]
        assert abs(values.mean() - chance) < 4 * values.std() / values.size**0.5 + 0.005
    assert abs(rows["", "mean", "subject_auroc"] - 0.5) < 4 * (81 / (12 * 40 * 40)) ** 0.5


@pytest.mark.parametrize("seed", range(3))
def test_the_truth_wins_whatever_its_shape(tmp_path: Path, seed: int) -> None:
    """With nothing configured; lesions of one voxel, plates, and lesions at the rim are among these."""
    rows = scored(tmp_path, cohort(seed, 4, 10), lambda one, _: one.lesion * 1.0)
    assert of(rows, "per_subject", "auprc").tolist() == of(rows, "per_subject", "auroc").tolist() == [1.0] * 4
    for protocol in (*(one.name for one in chosen()), "oracle_subject"):
        for metric, best in (("dice", 1), ("precision", 1), ("sensitivity", 1), ("hd95", 0), ("nsd_2mm", 1), ("lesion_f1", 1)):
            found = of(rows, protocol, metric)
            assert set(found[np.isfinite(found)]) == {best}, (protocol, metric)
        assert set(of(rows, protocol, "false_positive_components")) == {0}
    assert {rows["", f"froc_{number}", "lesion_sensitivity_iou"] for number in ("0.5", "8")} == {1.0}


SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "large": lambda scores: 1e5 * scores,
    "shifted": lambda scores: scores + 1000,
    "tiny": lambda scores: 1e-9 * scores,
    "below 0": lambda scores: scores - 10,
    "both signs": lambda scores: scores - 0.5,
    "bent": lambda scores: -1 / (scores + 1e-3),
}


@pytest.mark.parametrize("scale", SCALES)
def test_the_scale_of_scores_means_nothing(tmp_path: Path, scale: str) -> None:
    """Every number that asks for the order alone; 512 different scores, so that float32 keeps them apart on any scale.

    A mean of scores is no question of order: what is smoothed may change.
    """
    samples, found = cohort(3, 3, 3), []

    def plain(one: Sample, generator: np.random.Generator) -> np.ndarray:
        return np.rint(512 * (0.7 * generator.random(SHAPE) + 0.3 * one.lesion) + 1) / 512

    for name, change in (("plain", lambda scores: scores), (scale, SCALES[scale])):
        (tmp_path / name).mkdir()
        rows = scored(tmp_path / name, samples, lambda one, generator, change=change: change(plain(one, generator)))
        free = {key: value for key, value in rows.items() if key[2] not in ("threshold", "subject_score")}
        means = "pooled_score", "mean", "top100", "post_smoothed"
        found.append({key: value for key, value in free.items() if not key[1].startswith(means)})
    assert found[0].keys() == found[1].keys() and len(found[0]) > 300
    assert list(found[1].values()) == pytest.approx(list(found[0].values()), nan_ok=True)
