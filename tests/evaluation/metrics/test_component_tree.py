from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from madad.evaluation.metrics.component_tree import count_at_every_threshold, summed
from madad.evaluation.metrics.lesion_detection import label, match, voxels
from madad.evaluation.metrics.ordinal_scores import BINS
from madad.evaluation.protocol.postprocessing import remove_small

SHAPE = (9, 14, 12)


def scene(seed: int, levels: int, lesions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ordinals with few or many different ones, a brain with holes, and lesions of any size, some of one voxel."""
    generator = np.random.default_rng(seed)
    brain = ndimage.gaussian_filter(generator.random(SHAPE), 1) > 0.45
    noise = ndimage.gaussian_filter(generator.standard_normal(SHAPE), 0.6)
    lesion = np.zeros(SHAPE, dtype=bool)
    for _ in range(lesions):
        centre, size = generator.integers(0, SHAPE), generator.integers(1, 5, size=3)
        lesion[tuple(slice(start, start + side) for start, side in zip(centre, size, strict=True))] = True
    scores = noise + generator.uniform(0, 3) * lesion
    ordinals = np.digitize(scores, np.quantile(scores, np.linspace(0.3, 0.97, levels))) * (60000 // levels)
    return ordinals.astype(np.uint16), brain, lesion & brain


@pytest.mark.parametrize("min_component", [0, 1, 4])
@pytest.mark.parametrize("levels", [3, 40, 900])
def test_every_threshold_is_that_of_matching_again(levels: int, min_component: int) -> None:
    matched = 0
    for seed in range(8):
        ordinals, brain, lesion = scene(seed, levels, lesions=1 + 2 * seed)
        labels, number = label(lesion)
        found = count_at_every_threshold(ordinals, brain, min_component, labels, number)
        cuts = np.unique(np.append(ordinals[brain].astype(int) - 1, [-1, 12345, BINS - 1]))
        at = found.at(cuts)
        for cut, components, pairs in zip(cuts, at.components, at.matched, strict=True):
            prediction = remove_small(brain & (ordinals > int(cut)), min_component)
            expected = match(prediction, labels, number, voxels(labels, number))
            assert (components, pairs) == (expected.predicted, expected.matched), (seed, cut)
            matched += pairs
    assert matched > 10


def test_sum_over_scans_is_that_of_each_threshold() -> None:
    scenes = [scene(seed, 40, 4) for seed in range(3)]
    found = [count_at_every_threshold(ordinals, brain, 2, *label(lesion)) for ordinals, brain, lesion in scenes]
    components, matched = summed(found)
    at = [one.at(np.arange(-1, BINS)) for one in found]
    assert (components == sum(one.components for one in at)).all() and components.max() > 0
    assert (matched == sum(one.matched for one in at)).all() and matched.max() > 0


def test_nothing_is_above_the_highest_score_and_an_empty_brain_has_no_component() -> None:
    ordinals, brain, lesion = scene(2, 3, 2)
    top = count_at_every_threshold(np.full(SHAPE, BINS - 1, dtype=np.uint16), brain, 1)
    assert top.at(np.array([BINS - 1])).components == [0] and top.at(np.array([BINS - 2])).components >= [1]
    nothing = count_at_every_threshold(ordinals, np.zeros(SHAPE, dtype=bool), 1, *label(lesion & False))
    assert nothing.components.tolist() == [0] and summed([nothing])[0].max() == 0
