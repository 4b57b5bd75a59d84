"""Chains of steps back: their levels, their end, and painting inside a mask."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madad.core.errors import UserError
from madad.models.diffusion import noise_chain, schedules
from madad.models.diffusion.noise import NoiseLaw
from madad.models.diffusion.repaint import repainted

SIDE = 16


class Knows:
    """A predictor that knows the clean image, and keeps what it is asked."""

    def __init__(self, clean: torch.Tensor, kind: str = "gaussian") -> None:
        self.clean, self.seen = clean, []
        self.alphas_cumprod = schedules.linear(1000)
        self.noise_law = NoiseLaw(kind, False, 6, 0.8, 1.0)

    def predict(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.seen.append((x_t, int(t[0])))
        alpha_bar = torch.tensor(self.alphas_cumprod)[t].to(x_t).view(-1, 1, 1, 1)
        return (x_t - alpha_bar.sqrt() * self.clean[: len(x_t)]) / (1 - alpha_bar).sqrt()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images() -> tuple[torch.Tensor, torch.Tensor]:
    """Return healthy images in [-1, 1] and the same with a bright square."""
    healthy = torch.rand(2, 1, SIDE, SIDE, generator=generator(1)) - 0.7
    ill = healthy.clone()
    ill[:, :, 4:8, 4:8] += 0.8
    return healthy, ill


def built(predictor: Knows, start: int, steps: int = 0, **options: bool) -> noise_chain.NoiseChain:
    return noise_chain.build(predictor, start, steps, "m.parameters: start and steps", 64, **options)


@pytest.mark.parametrize(
    ("index", "signal", "noise"),
    [(49, 0.9854, 0.1702), (150, 0.8865, 0.4627), (199, 0.8118, 0.5839), (249, 0.7239, 0.6899), (350, 0.5321, 0.8467)],
)
def test_published_levels(index: int, signal: float, noise: float) -> None:
    alpha_bar = schedules.linear(1000)[index]
    assert (alpha_bar**0.5, (1 - alpha_bar) ** 0.5) == (pytest.approx(signal, abs=1e-4), pytest.approx(noise, abs=1e-4))


@pytest.mark.parametrize("steps", [0, 7])
@pytest.mark.parametrize("kind", ["gaussian", "simplex"])
def test_chain_of_a_predictor_that_knows_the_clean_image_ends_there(kind: str, steps: int) -> None:
    healthy, ill = images()
    predictor = Knows(healthy, kind)
    assert torch.allclose(built(predictor, 200, steps).restored(ill, generator()), healthy, atol=1e-4)
    assert [t for _, t in predictor.seen] == (list(range(199, -1, -1)) if not steps else [199, 166, 133, 100, 66, 33, 0])


@pytest.mark.parametrize("largest", [True, False])
def test_a_step_has_the_mean_and_variance_of_ddpm(largest: bool) -> None:
    """Ho et al. 2020, eq. 7, written out for one step at t = 120."""
    clean = torch.full((1, 1, 200, 200), 0.3)
    chain = built(Knows(clean), 200, largest_variance=largest)
    x_t = torch.full_like(clean, -0.2)
    betas = np.linspace(1e-4, 2e-2, 1000)
    level, before = np.cumprod(1 - betas)[[120, 119]]
    mean = (before**0.5 * betas[120] * 0.3 + (1 - betas[120]) ** 0.5 * (1 - before) * -0.2) / (1 - level)
    variance = betas[120] * (1.0 if largest else (1 - before) / (1 - level))
    found, estimate = chain.step(x_t, 120, generator())
    assert torch.allclose(estimate, clean, atol=1e-4)
    assert found.mean().item() == pytest.approx(mean, abs=4 * (variance / found.numel()) ** 0.5)
    assert found.var().item() == pytest.approx(variance, rel=0.03)


def test_estimates_are_clipped() -> None:
    _, estimate = built(Knows(torch.full((1, 1, 4, 4), 3.0)), 200).step(torch.zeros(1, 1, 4, 4), 100, generator())
    assert torch.equal(estimate, torch.ones_like(estimate))


def test_painting_keeps_the_outside_and_restores_the_inside() -> None:
    healthy, ill = images()
    mask = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.bool)
    mask[:, :, 3:9, 3:9] = True
    predictor = Knows(healthy)
    painted = repainted(built(predictor, 50), ill, healthy, mask, 3, generator())
    assert torch.equal(painted[~mask], ill[~mask])
    assert torch.allclose(painted[mask], healthy[mask], atol=1e-4)
    assert len(predictor.seen) == 49 * 3 + 1


def test_painted_images_have_at_every_level_the_noise_of_that_level() -> None:
    clean = torch.zeros(1, 1, 256, 256)
    predictor = Knows(clean)
    mask = torch.ones_like(clean, dtype=torch.bool)
    mask[..., :128] = False
    repainted(built(predictor, 50), clean, clean, mask, 4, generator())
    for x_t, t in predictor.seen[::20]:
        for half in (x_t[..., :128], x_t[..., 128:]):
            assert half.std().item() == pytest.approx((1 - predictor.alphas_cumprod[t]) ** 0.5, rel=0.03)


def test_settings_that_no_schedule_has_are_refused() -> None:
    with pytest.raises(UserError, match=r"m\.parameters: start and steps"):
        built(Knows(torch.zeros(1, 1, 4, 4)), 1001)
