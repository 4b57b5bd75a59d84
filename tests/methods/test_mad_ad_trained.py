"""MAD-AD after some hundred steps at 32 x 32 voxels: what it flags in healthy slices, and how that grows with an anomaly.

Acceptance of Beizaee et al. 2025 (arXiv 2502.16943) on a trained model; the latents are means of 2 x 2 voxels.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from madad.configuration import cards
from madad.core.seeds import torch_generator
from madad.methods.mad_ad import MADAD
from tests.methods.latent_stand_ins import Cells
from tests.methods.phantom_slices import Heads, heads, taught

# one worker, which trains once
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("trained mad_ad")]

STEPS, BATCH, LEARNING_RATE = 400, 16, 3e-3


class Sharp(Cells):
    """Latents whose posterior is narrow, as that of a trained autoencoder."""

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, _ = super().encode(images)
        return mean, torch.full_like(mean, 0.05)


@pytest.fixture(scope="module")
def learnt() -> MADAD:
    tiny = cards.tiny_whole("mad_ad")["parameters"]
    # Blocks of one latent, half of them brain: at this size a stricter rule would leave the network but the middle to see.
    rules = {"max_diffused_share": 0.4, "min_brain_share": 0.5, "brain_block": 1, "mask_weight": 0.1}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        method = MADAD(autoencoder=Sharp(), **{**tiny, **rules})
    return taught(method, heads(200, "train"), steps=STEPS, batch=BATCH, learning_rate=LEARNING_RATE)


@pytest.fixture(scope="module")
def unseen() -> Heads:
    return heads(40, "test")


@torch.no_grad()
def flagged(method: MADAD, images: Tensor, where: Tensor) -> list[float]:
    """Share of the latents inside `where` that are told to be noisy, a number a noise level."""
    z, inside = method._encode(images), functional.avg_pool2d(where.float(), 2) > 0.5
    noisy = [method._denoise(z, torch.full((len(z),), t))[1] < 0.5 for t in method.test_timesteps]
    return [float((one & inside).sum() / inside.sum()) for one in noisy]


def test_hardly_a_healthy_latent_is_flagged_at_any_level(learnt: MADAD, unseen: Heads) -> None:
    assert max(flagged(learnt, unseen.healthy, unseen.brain)) < 0.03


def test_more_is_flagged_the_more_noise_there_is(learnt: MADAD, unseen: Heads) -> None:
    noise = torch.randn(unseen.healthy.shape, generator=torch_generator("noise")) * unseen.brain
    shares = [flagged(learnt, unseen.healthy + level * noise, unseen.brain) for level in (0.0, 0.1, 0.25, 0.5)]
    for weaker, stronger in pairwise(shares):
        assert all(high > low for low, high in zip(weaker, stronger, strict=True))


def test_more_is_flagged_the_brighter_a_lesion_is(learnt: MADAD, unseen: Heads) -> None:
    shares = [flagged(learnt, unseen.healthy + level * unseen.lesion, unseen.lesion) for level in (0.2, 0.4, 0.6)]
    for fainter, brighter in pairwise(shares):
        assert all(high > low for low, high in zip(fainter, brighter, strict=True))
    assert min(shares[-1]) > 0.5


@torch.no_grad()
def test_the_mask_is_told_better_than_by_calling_all_clean(learnt: MADAD, unseen: Heads) -> None:
    batch = {"image": unseen.healthy, "brain": unseen.brain}
    told, all_clean = 0.0, 0.0
    for draw in range(8):
        told += float(learnt.training_loss(batch, torch_generator("mask", draw))["masking"])
        all_clean += 1 - float(learnt._draw_mask(unseen.brain, torch_generator("all clean", draw)).float().mean())
    assert told < 0.75 * all_clean


@torch.no_grad()
def test_a_lesion_is_cleaned_and_healthy_tissue_kept(learnt: MADAD, unseen: Heads) -> None:
    image = unseen.healthy + 0.6 * unseen.lesion
    generator = torch_generator("test")
    scores = learnt.anomaly_map(image, learnt.reconstruct(image, generator), unseen.brain[:, 0], generator)
    brain, lesion = unseen.brain[:, 0], unseen.lesion[:, 0]
    assert scores[lesion].mean() > 5 * scores[brain & ~lesion].mean()
