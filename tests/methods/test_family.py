"""The diffusion family end to end on phantoms: what is learnt in some hundred steps at 32 x 32 voxels.

Acceptance tests of Behrendt et al. 2023 (arXiv 2312.04215: cDDPM's healthy l1 is below DDPM's) and Iqbal et al. 2023 (arXiv
2305.19867: mDDPM beside pDDPM), as orders between methods, not as values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from madad.configuration import cards
from madad.core.seeds import torch_generator
from madad.evaluation.metrics.ordinal_scores import count, to_ordinals
from madad.evaluation.metrics.voxel_metrics import dice_curve
from madad.methods import registry
from tests.methods.phantom_slices import Heads, heads, taught

# one worker, which trains once
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("family")]

FAMILY = ("ddpm", "pddpm", "mddpm", "cddpm")
STEPS, BATCH, LEARNING_RATE = 250, 8, 3e-3


@dataclass(frozen=True)
class Found:
    """Mean residuals in healthy brains and in lesions, and the best Dice over all thresholds."""

    healthy: float
    lesion: float
    dice: float


def trained(name: str, data: Heads) -> torch.nn.Module:
    whole = cards.tiny_whole(name)
    parameters = {**whole["parameters"], "test_timesteps": [500], "noise_shared": False}
    method = registry.assemble({**whole, "parameters": parameters}, 0)
    return taught(method, data, steps=STEPS, batch=BATCH, learning_rate=LEARNING_RATE)


@torch.no_grad()
def judged(method: torch.nn.Module, data: Heads) -> Found:
    brain, lesion = data.brain[:, 0], data.lesion[:, 0]
    maps = []
    for image in (data.healthy, data.lesioned):
        generator = torch_generator("test")
        maps.append(method.anomaly_map(image, method.reconstruct(image, generator), brain, generator))
    counts = count(to_ordinals(maps[1][brain].numpy()), lesion[brain].numpy())
    return Found(float(maps[0][brain].mean()), float(maps[1][lesion].mean()), float(np.nanmax(dice_curve(counts))))


@pytest.fixture(scope="module")
def found() -> dict[str, Found]:
    learnt, unseen = heads(200, "train"), heads(40, "test")
    untrained = registry.assemble(cards.tiny_whole("ddpm"), 0).eval()
    return {"untrained": judged(untrained, unseen), **{name: judged(trained(name, learnt), unseen) for name in FAMILY}}


@pytest.mark.parametrize("name", FAMILY)
def test_anatomy_is_learnt(found: dict[str, Found], name: str) -> None:
    """Without this, lesions stand out of an untrained network's grey as well."""
    assert found[name].healthy < 0.75 * found["untrained"].healthy


@pytest.mark.parametrize("name", FAMILY)
def test_lesions_stand_out(found: dict[str, Found], name: str) -> None:
    assert found[name].lesion > 1.5 * found[name].healthy


def test_a_condition_lowers_the_healthy_residual(found: dict[str, Found]) -> None:
    assert found["cddpm"].healthy < found["ddpm"].healthy


def test_masking_does_not_harm(found: dict[str, Found]) -> None:
    assert found["mddpm"].dice >= found["pddpm"].dice - 0.02
    assert found["mddpm"].healthy <= 1.5 * found["pddpm"].healthy
