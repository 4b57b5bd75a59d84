"""The papers' own protocols: against straight versions with scipy and scikit-learn on whole volumes, and on toys."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score

from madad.core.errors import UserError
from madad.core.io.hdf5 import Prediction, Sample, write_maps, write_pack
from madad.evaluation.metrics.ordinal_scores import count, no_counts, to_ordinals
from madad.evaluation.metrics.voxel_metrics import average_precision
from madad.evaluation.protocol.postprocessing import Sizes
from madad.evaluation.protocol.published_protocols import CHAINS, best_by_halving, chain_of, choose, count_all, halve
from madad.evaluation.protocol.published_protocols import dice as published_dice
from madad.evaluation.protocol.run import evaluate
from madad.evaluation.results.long_table import read

IDENTITY = {"cohort": "toy", "modality": "T2w", "testset": "toy", "method": "pddpm", "seed": "0"}
SHAPE = (10, 40, 96)  # of 2 mm, to which the published sizes belong
Z, Y, X = np.indices(SHAPE)
BRAIN = ((Z - 5) / 4.6) ** 2 + ((Y - 20) / 17) ** 2 + ((X - 48) / 40) ** 2 < 1


def test_sizes_are_those_of_the_papers() -> None:
    assert CHAINS["behrendt"].sizes((2.0, 2.0, 2.0)) == Sizes(erosion=3, median=5, min_component=8)
    assert CHAINS["behrendt"].sizes((4.0, 4.0, 4.0)) == Sizes(erosion=2, median=3, min_component=2)
    assert CHAINS["mhd"].sizes((2.0, 2.0, 2.0)) == Sizes(erosion=0, median=0, min_component=0)


def test_unknown_chain_is_refused() -> None:
    with pytest.raises(UserError, match="published_scoring: 'behrend' is not one of behrendt, mhd, conddiff, mad_ad"):
        chain_of("behrend")


@pytest.mark.parametrize("best", [0.2, 0.5, 0.77])
def test_halving_finds_the_top_of_a_symmetric_curve(best: float) -> None:
    assert halve(lambda threshold: -abs(threshold - best), 1.0) == pytest.approx(best, abs=2**-10)


def test_halving_takes_the_lower_half_of_equals_and_remembers_the_best_point_that_it_met_last() -> None:
    visited = []
    assert halve(lambda threshold: visited.append(threshold) or 0.0, 1.0) == visited[-2] == 0.5**11
    assert visited[:4] == [0.25, 0.75, 0.125, 0.375]
    assert len(visited) == 20
    assert halve(lambda threshold: float(threshold == 0.75), 1.0) == 0.75
    assert halve(lambda threshold: float(threshold >= 0.75), 1.0) == 0.75 + 0.5**11


def test_halving_agrees_with_a_dense_grid_where_there_is_one_top() -> None:
    generator = np.random.default_rng(0)
    reference = generator.random(40_000) < 0.1
    scores = np.abs(generator.standard_normal(reference.size) * 0.1 + 0.25 * reference).astype(np.float16)
    dices = [dice(scores > threshold, reference) for threshold in np.linspace(0, scores.max(), 500)]
    found = best_by_halving(count(to_ordinals(scores), reference))
    assert dice(scores > found, reference) == pytest.approx(max(dices), abs=0.002)


def dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    return 2 * (prediction & reference).sum() / (prediction.sum() + reference.sum())


def scored(chain: str, *volumes: tuple[str, np.ndarray, np.ndarray]) -> dict[tuple[str, str], float]:
    """(sample, metric) -> value of volumes given as (split, scores, lesion)."""
    validation, tested = no_counts(), {}
    for number, (split, scores, lesion) in enumerate(volumes):
        counts = count_all(to_ordinals(scores), lesion, lesion.size)
        if split == "validation":
            validation += counts
        else:
            tested[f"test-{number}"] = (to_ordinals(scores), lesion, float(average_precision(counts)))
    threshold = choose(validation)
    values = {("", "threshold"): threshold}
    for name, (ordinals, lesion, auprc) in tested.items():
        values[name, "auprc"] = auprc
        values[name, "dice"] = published_dice(ordinals, lesion, threshold, CHAINS[chain].sizes((2.0, 2.0, 2.0)).min_component)
    return values


def test_background_outside_the_box_counts() -> None:
    lesion = line(5, 20, 10, voxels=20)
    ordinals = to_ordinals(lesion * 1.0)
    box = (slice(4, 7), slice(18, 25), slice(5, 40))
    assert np.array_equal(count_all(ordinals[box], lesion[box], lesion.size), count_all(ordinals, lesion, lesion.size))


def line(*corner: int, voxels: int) -> np.ndarray:
    """A line of voxels from a corner on."""
    volume = np.zeros(SHAPE, dtype=bool)
    z, y, x = corner
    volume[z, y, x : x + voxels] = True
    return volume


def test_component_of_seven_voxels_goes_and_of_eight_stays() -> None:
    lesion = line(5, 20, 10, voxels=20)
    for voxels, stays in ((7, False), (8, True)):
        scores = lesion + 1.0 * line(5, 30, 60, voxels=voxels)
        values = scored("behrendt", ("validation", lesion * 1.0, lesion), ("test", scores, lesion))
        assert values["test-1", "dice"] == pytest.approx(40 / (40 + voxels * stays))


def test_average_precision_is_that_of_all_voxels() -> None:
    generator = np.random.default_rng(3)
    lesion = BRAIN & (generator.random(SHAPE) < 0.05)
    scores = np.where(BRAIN, np.abs(generator.standard_normal(SHAPE)) + lesion, 0).astype(np.float16)
    expected = average_precision_score(lesion.ravel(), scores.ravel())
    assert scored("mhd", ("test", scores, lesion))["test-0", "auprc"] == pytest.approx(expected, abs=1e-9)


def test_lesion_outside_the_brain_is_missed() -> None:
    inside, outside = line(5, 20, 40, voxels=10), line(0, 0, 0, voxels=10)
    volume = ("test", inside * 1.0, inside | outside)
    values = scored("mhd", ("validation", inside * 1.0, inside), volume)
    assert values["test-1", "dice"] == pytest.approx(2 * 10 / (10 + 20))
    assert values["test-1", "auprc"] == pytest.approx(average_precision_score((inside | outside).ravel(), inside.ravel() * 1.0))


def test_volume_without_anything_has_no_dice() -> None:
    lesion, nothing = line(5, 20, 40, voxels=10), np.zeros(SHAPE)
    values = scored("mhd", ("validation", lesion * 1.0, lesion), ("test", nothing, nothing > 0))
    assert np.isnan(values["test-1", "dice"])
    assert np.isnan(values["test-1", "auprc"])


def test_no_validation_lesion_means_no_threshold_and_no_dice(capsys) -> None:
    lesion = line(5, 20, 40, voxels=10)
    values = scored("mhd", ("test", lesion * 1.0, lesion))
    assert np.isnan(values["", "threshold"])
    assert np.isnan(values["test-0", "dice"])
    assert values["test-0", "auprc"] == 1
    assert "published: no threshold, because no validation subject has a marked lesion" in capsys.readouterr().err


class Toy:
    """Packs and maps of patients and one healthy subject a split, on the grid of the papers."""

    def __init__(self, folder: Path) -> None:
        self.maps, self.out = folder / "maps.h5", folder / "metrics.tsv"
        self.packs = [folder / "validation.h5", folder / "test.h5"]
        self.samples = {s: [self._sample(s, n) for n in range(3)] for s in ("validation", "test")}
        for path, (split, samples) in zip(self.packs, self.samples.items(), strict=True):
            write_pack(path, iter(samples), affine=np.diag([2.0, 2, 2, 1]), modality="T2w", cohort="toy", split=split)
        predictions = [self.prediction(split, sample) for split, samples in self.samples.items() for sample in samples]
        write_maps(self.maps, iter(predictions), IDENTITY)

    def _sample(self, split: str, number: int) -> Sample:
        generator = np.random.default_rng([len(split), number])
        lesion = ((Z - 5) ** 2 + (Y - 12 - 4 * number) ** 2 + (X - 30 - 9 * number) ** 2 < 20) & (number > 0)
        lesion[0, 0, :5] = number > 0  # outside the brain
        image = np.where(BRAIN, 0.5 + 0.1 * generator.random(SHAPE), 0).astype(np.float32)
        return Sample(f"{split}-{number}", "patient" if number else "healthy", image, BRAIN, lesion, {})

    def prediction(self, split: str, sample: Sample) -> Prediction:
        noise = np.abs(np.random.default_rng(len(sample.name) + int(sample.name[-1])).standard_normal(SHAPE))
        scores = np.where(BRAIN, 0.3 * noise + 0.6 * sample.lesion, 0).astype(np.float16)
        return Prediction(sample.name, split, scores, sample.image + 0.25 * BRAIN, 1.0, 1.0)

    def rows(self, chain: str | None, **changed: object) -> list[dict[str, str]]:
        options = {"erosion": None, "median": None, "min_component": None, "bootstrap": 50, "published": chain, **changed}
        evaluate(self.maps, self.packs, options, IDENTITY, self.out)
        return read(self.out)

    def values(self, chain: str, **changed: object) -> dict[tuple[str, str], float]:
        rows = [row for row in self.rows(chain, **changed) if row["protocol"] == "published"]
        return {(row["sample"], row["metric"]): float(row["value"]) for row in rows}

    def by_hand(self, split: str, chain: str) -> list[SimpleNamespace]:
        """Patients with whole-volume scores by scipy alone."""
        plane = ndimage.generate_binary_structure(2, 1)
        eroded = np.stack([ndimage.binary_erosion(brain, plane, iterations=3) for brain in BRAIN])
        patients = []
        for sample in self.samples[split][1:]:
            scores = self.prediction(split, sample).anomaly_map.astype(np.float32)
            scores = ndimage.median_filter(scores * eroded, 5) if chain == "behrendt" else scores
            patients.append(SimpleNamespace(name=sample.name, scores=scores, lesion=sample.lesion))
        return patients


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Toy:
    return Toy(tmp_path_factory.mktemp("published"))


def large(prediction: np.ndarray) -> np.ndarray:
    labels, number = ndimage.label(prediction, np.ones((3, 3, 3)))
    sizes = ndimage.sum_labels(prediction, labels, np.arange(number + 1))
    return (sizes > 7)[labels]


@pytest.mark.parametrize("chain", ["behrendt", "mhd"])
def test_whole_chain_equals_a_straight_one(toy: Toy, chain: str) -> None:
    values, validation = toy.values(chain), toy.by_hand("validation", chain)
    scores, lesion = (np.concatenate([getattr(one, key).ravel() for one in validation]) for key in ("scores", "lesion"))
    threshold = halve(lambda cut: dice(scores > cut, lesion), float(scores.max()))
    assert values["", "threshold"] == pytest.approx(threshold, rel=1e-6)
    for one in toy.by_hand("test", chain):
        prediction = one.scores > threshold
        expected = dice(large(prediction) if chain == "behrendt" else prediction, one.lesion)
        assert 0.1 < expected < 0.99
        assert values[one.name, "dice"] == pytest.approx(expected, abs=1e-8)
        expected = average_precision_score(one.lesion.ravel(), one.scores.ravel())
        assert values[one.name, "auprc"] == pytest.approx(expected, abs=1e-8)


def test_healthy_l1_is_of_the_whole_volume(toy: Toy) -> None:
    values = toy.values("behrendt")
    assert values["test-0", "l1"] == pytest.approx(0.25 * BRAIN.mean(), abs=1e-4)
    assert {sample for sample, metric in values if metric == "l1"} == {"test-0"}


def test_options_of_the_evaluation_do_not_touch_a_published_chain(toy: Toy) -> None:
    assert toy.values("behrendt", erosion=0, median=3, min_component=40) == toy.values("behrendt")


def test_published_chain_does_not_touch_the_common_protocol(toy: Toy) -> None:
    alone = toy.rows(None)
    assert [row for row in toy.rows("mhd") if row["protocol"] != "published"] == alone


def test_conddiff_takes_the_best_threshold_of_each_subject_over_all_voxels(toy: Toy) -> None:
    values = toy.values("conddiff")
    assert ("", "threshold") not in values
    eroded = np.stack([ndimage.binary_erosion(brain, ndimage.generate_binary_structure(2, 1), iterations=3) for brain in BRAIN])
    for sample in toy.samples["test"][1:]:
        scores = ndimage.median_filter(toy.prediction("test", sample).anomaly_map.astype(np.float32) * eroded, 3)
        expected = max(dice(scores > cut, sample.lesion) for cut in np.unique(scores))
        assert values[sample.name, "dice"] == pytest.approx(expected, abs=1e-8)


def test_mad_ad_takes_one_slice_a_subject_at_the_best_threshold_of_all(toy: Toy) -> None:
    values = toy.values("mad_ad")
    slices = []
    for sample in toy.samples["test"][1:]:
        place = int((sample.lesion & BRAIN).sum(axis=(1, 2)).argmax())
        scores = toy.prediction("test", sample).anomaly_map.astype(np.float32)[place]
        slices.append((sample.name, scores[BRAIN[place]], sample.lesion[place][BRAIN[place]]))
    cuts = np.unique(np.concatenate([scores for _, scores, _ in slices]))
    best = max(cuts, key=lambda cut: sum(dice(scores > cut, lesion) for _, scores, lesion in slices))
    for name, scores, lesion in slices:
        assert values[name, "dice"] == pytest.approx(dice(scores > best, lesion), abs=1e-8)
