"""Numbers of the long table against scipy, scikit-learn and MONAI on whole volumes, without the two passes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance
from scipy import ndimage
from sklearn.metrics import average_precision_score, f1_score

from madad.core.io.hdf5 import Maps
from madad.evaluation.results.protocol_table import chosen
from tests.evaluation.cases import AFFINE, BRAIN, FULL, OPTIONS, Case

CHOSEN = [protocol.name for protocol in chosen()]

CUBE = np.ones((3, 3, 3))
VOXEL_ML = abs(np.linalg.det(AFFINE[:3, :3])) / 1000


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> SimpleNamespace:
    """A toy test set, its rows by (sample, protocol, metric), and its post-processed maps by scipy alone.

    A volume is NaN where a voxel has no score. The published chain erodes by 6 mm, filters over 10 mm, removes below 56 mm³.
    """
    case = Case(tmp_path_factory.mktemp("numbers"), FULL)
    rows = {(row["sample"], row["protocol"], row["metric"]): float(row["value"]) for row in case.rows()}
    plane = ndimage.generate_binary_structure(2, 1)
    once, thrice = (np.stack([ndimage.binary_erosion(one, plane, iterations=n) for one in BRAIN]) for n in (1, 3))
    volumes = {}
    with Maps(case.maps) as maps:
        for split, samples in case.samples.items():
            for sample in samples:
                plain = np.where(BRAIN, maps.anomaly_map(maps.row(split, sample.name)), np.nan)
                inner, deep = np.where(once, plain, np.nan), np.where(thrice, plain, np.nan)
                steps = {"none": plain, "erosion": deep, "median": filtered(plain, 5), "chain": filtered(deep, 5)}
                volumes[split, sample.name] = SimpleNamespace(
                    **steps, full=filtered(inner, 3), lesion=sample.lesion, image=sample.image
                )
    return SimpleNamespace(rows=rows, volumes=volumes)


def filtered(volume: np.ndarray, side: int) -> np.ndarray:
    """The median of the voxels that have a score, the lower one of an even number."""

    def lower(values: np.ndarray) -> float:
        own = np.sort(values[~np.isnan(values)])
        return own[(own.size - 1) // 2] if own.size else np.nan

    found = ndimage.generic_filter(volume.astype(float), lower, side, mode="constant", cval=np.nan)
    return np.where(np.isnan(volume), np.nan, found).astype(np.float32)


def large(prediction: np.ndarray, least: int = OPTIONS["min_component"]) -> np.ndarray:
    labels, _ = ndimage.label(prediction, CUBE)
    return (np.bincount(labels.ravel()) >= least)[labels] & prediction


def predictions(scored: SimpleNamespace, name: str) -> dict[str, np.ndarray]:
    """Binary maps of a test sample under every protocol that has a threshold."""
    cuts = {protocol: scored.rows["", protocol, "threshold"] for protocol in CHOSEN}
    volume = scored.volumes["test", name]
    return {protocol: large(volume.full > cut) for protocol, cut in cuts.items() if np.isfinite(cut)}


@pytest.mark.parametrize("name", ["sub-2", "sub-3"])
def test_binary_metrics_of_a_lesion_sample(scored: SimpleNamespace, name: str) -> None:
    lesion, inner = scored.volumes["test", name].lesion, ~np.isnan(scored.volumes["test", name].full)
    assert not (lesion & ~inner).any()
    found = predictions(scored, name)
    assert len(found) >= 5
    for protocol, prediction in found.items():
        value = lambda metric, protocol=protocol: scored.rows[name, protocol, metric]  # noqa: E731
        assert value("dice") == pytest.approx(f1_score(lesion[inner], prediction[inner]))
        assert value("volume_error_ml") == pytest.approx((prediction.sum() - lesion.sum()) * VOXEL_ML)
        labels, number = ndimage.label(prediction, CUBE)
        false = sum(not lesion[labels == one].any() for one in range(1, number + 1))
        best = max((lesion & (labels == one)).sum() / (lesion | (labels == one)).sum() for one in range(1, number + 1))
        right = int(best >= 0.1)  # there is one lesion, the partner of one component at most
        assert false <= value("false_positive_components") == number - right
        assert value("lesion_precision") == pytest.approx(right / number)
        assert value("lesion_sensitivity") == (prediction[lesion].mean() >= 0.1)
        pair = (torch.from_numpy(one[None, None].astype(np.float32)) for one in (prediction, lesion))
        expected = compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=[2.0] * 3)
        assert value("hd95") == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("name", ["sub-0", "sub-1"])
def test_false_positives_of_a_healthy_sample(scored: SimpleNamespace, name: str) -> None:
    for protocol, prediction in predictions(scored, name).items():
        value = lambda metric, protocol=protocol: scored.rows[name, protocol, metric]  # noqa: E731
        assert value("false_positive_components") == ndimage.label(prediction, CUBE)[1]
        assert value("false_positive_ml") == pytest.approx(prediction.sum() * VOXEL_ML)
        voxels = np.count_nonzero(~np.isnan(scored.volumes["test", name].full))
        assert value("false_positive_rate") == pytest.approx(prediction.sum() / voxels)


def test_volume_as_a_score_is_that_of_the_operating_point(scored: SimpleNamespace) -> None:
    for name in ("sub-0", "sub-1", "sub-2", "sub-3"):
        predicted_ml = predictions(scored, name)["healthy_fpr_1"].sum() * VOXEL_ML
        assert scored.rows[name, "volume", "subject_score"] == pytest.approx(predicted_ml)


@pytest.mark.parametrize("step", ["none", "erosion", "median", "chain"])
def test_auprc_after_single_steps(scored: SimpleNamespace, step: str) -> None:
    for name in ("sub-2", "sub-3"):
        one = scored.volumes["test", name]
        scores = getattr(one, step)
        expected = average_precision_score(one.lesion[~np.isnan(scores)], scores[~np.isnan(scores)])
        assert scored.rows[name, f"post_{step}", "auprc"] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("protocol", ["oracle_test", "validation"])
@pytest.mark.parametrize("step", ["none", "erosion", "median", "components", "chain"])
def test_dice_after_single_steps(scored: SimpleNamespace, step: str, protocol: str) -> None:
    """The threshold is the best one for the step: on the test samples themselves, or on the validation sample."""
    pool = {"oracle_test": [("test", "sub-2"), ("test", "sub-3")], "validation": [("validation", "sub-1")]}[protocol]
    source = "none" if step == "components" else step
    volumes = [(scored.volumes[key].lesion, getattr(scored.volumes[key], source)) for key in pool]
    pairs = [(lesion[~np.isnan(volume)], volume[~np.isnan(volume)]) for lesion, volume in volumes]
    cuts = np.unique(np.concatenate([scores for _, scores in pairs]))
    dice = lambda truth, above: 2 * (truth & above).sum() / (truth.sum() + above.sum())  # noqa: E731
    means = [np.mean([dice(truth, scores > one) for truth, scores in pairs]) for one in cuts.tolist()]
    cut = cuts[int(np.argmax(means))]
    for name in ("sub-2", "sub-3"):
        one = scored.volumes["test", name]
        volume = getattr(one, source)
        inside, prediction = ~np.isnan(volume), volume > cut
        prediction = large(prediction, 7) if step in ("components", "chain") else prediction
        expected = f1_score(one.lesion[inside], prediction[inside], zero_division=0)
        assert scored.rows[name, f"post_{step}_{protocol}", "dice"] == pytest.approx(expected)


def test_best_threshold_for_the_mean_of_subjects(scored: SimpleNamespace) -> None:
    """The oracle is the ceiling of what is printed, which is the Dice after the removal of components."""
    pair = [one for (split, _), one in scored.volumes.items() if split == "test" and one.lesion.any()]

    def mean(cut: float) -> float:
        found = [(one.lesion, large(one.full > cut)) for one in pair]
        return float(np.mean([f1_score(lesion.ravel(), above.ravel(), zero_division=0) for lesion, above in found]))

    scores = np.unique(np.concatenate([one.full[~np.isnan(one.full)] for one in pair]))
    assert mean(scored.rows["", "oracle_test", "threshold"]) == pytest.approx(max(map(mean, scores.tolist())))


def test_dice_of_slices(scored: SimpleNamespace) -> None:
    cut, every = scored.rows["", "oracle_slice", "threshold"], []
    for name in ("sub-2", "sub-3"):
        one = scored.volumes["test", name]
        shown = [z for z in range(len(BRAIN)) if one.lesion[z].any()]
        dices = [f1_score(one.lesion[z].ravel(), one.full[z].ravel() > cut, zero_division=0) for z in shown]
        assert scored.rows[name, "oracle_slice", "dice_slice"] == pytest.approx(np.mean(dices))
        every += dices
    assert scored.rows["", "oracle_slice", "dice_slice"] == pytest.approx(np.mean(every))


def test_reconstruction_is_compared_in_lesions_and_elsewhere(scored: SimpleNamespace) -> None:
    one = scored.volumes["test", "sub-2"]  # `cases` reconstructs 0.9 of the image
    for metric, mask in (("l1_lesion", one.lesion), ("l1_healthy_tissue", BRAIN & ~one.lesion)):
        assert scored.rows["sub-2", "reconstruction", metric] == pytest.approx(0.1 * one.image[mask].mean(), rel=1e-2)
    assert ("sub-0", "reconstruction", "l1_lesion") not in scored.rows


def test_mean_maps_are_those_of_the_healthy(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    case.rows({**OPTIONS, "erosion": 0, "median": 0})
    with np.load(tmp_path / "mean_maps.npz", allow_pickle=False) as means, Maps(case.maps) as maps:
        healthy = [maps.anomaly_map(maps.row("test", name)) for name in ("sub-0", "sub-1")]
        assert means["score"] == pytest.approx(np.mean(healthy, axis=0) * BRAIN, abs=1e-6)
        images = np.mean([sample.image for sample in case.samples["test"][:2]], axis=0)
        assert means["residual"] == pytest.approx(0.1 * images, abs=1e-3)
        assert np.array_equal(means["brain"], BRAIN.astype(np.float32)) and means["number"] == 2
        assert np.array_equal(means["affine"], AFFINE)


def test_removal_of_components_is_a_step_of_its_own(tmp_path: Path) -> None:
    case = Case(tmp_path, {"validation": ["healthy"], "test": ["healthy", "patient"]})
    speck = np.zeros(BRAIN.shape, dtype=bool)
    speck[1, 1, 1] = True
    case.write_maps(lambda sample: 1.0 * (sample.lesion | speck))
    rows = {(row["sample"], row["protocol"], row["metric"]): float(row["value"]) for row in case.rows()}
    voxels = case.samples["test"][1].lesion.sum()
    assert rows["sub-1", "post_none_oracle_test", "dice"] == pytest.approx(2 * voxels / (2 * voxels + 1))
    assert rows["sub-1", "post_components_oracle_test", "dice"] == 1
