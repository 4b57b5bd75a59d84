"""Hybrid loss and ancestral steps against closed forms: normal data have a known best denoiser."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from madad.core.errors import UserError
from madad.models.diffusion import ancestral, schedules
from madad.models.diffusion.forward import add_noise

ALPHAS = schedules.linear(1000)
FULL = ancestral.chain(ALPHAS)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=generator(), dtype=torch.float64)


def noised(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x_0 = images(len(t), 2, 4, 4)
    noise = images(len(t), 2, 4, 4).flip(3)
    return x_0, noise, add_noise(x_0, noise, t, ALPHAS)


def test_published_levels() -> None:
    assert ALPHAS[249] == pytest.approx(0.524, abs=5e-4)
    assert ALPHAS[499] == pytest.approx(0.0786, abs=5e-5)


def test_tables_of_the_full_chain() -> None:
    betas = np.linspace(1e-4, 2e-2, 1000)
    assert np.allclose(FULL.betas, betas, rtol=1e-9)
    assert np.allclose(FULL.log_largest, np.log(betas))
    assert (FULL.log_smallest[1:] < FULL.log_largest[1:]).all() and FULL.log_smallest[0] == FULL.log_smallest[1]
    assert FULL.weight_x_0[0] == pytest.approx(1) and FULL.weight_x_t[0] == 0  # the last step gives x_0 itself


def test_respaced_chain_keeps_its_levels_and_ends() -> None:
    levels = ancestral.respaced(249, 50, "x")
    assert len(levels) == len(set(levels)) == 50 and levels[0] == 0 and levels[-1] == 249
    respaced = ancestral.chain(ALPHAS, levels)
    assert np.allclose(np.cumprod(1 - respaced.betas), ALPHAS[levels])


def test_respacing_to_all_steps_and_to_one() -> None:
    assert ancestral.respaced(249, 0, "x").tolist() == ancestral.respaced(249, 250, "x").tolist() == list(range(250))
    assert ancestral.respaced(249, 1, "x").tolist() == [249]
    assert np.isfinite(ancestral.chain(ALPHAS, ancestral.respaced(249, 1, "x")).log_smallest).all()


def test_more_steps_than_levels() -> None:
    with pytest.raises(UserError, match=r"m\.parameters\.sampling_steps: 251 steps .* at most 250"):
        ancestral.respaced(249, 251, "m.parameters.sampling_steps")


@pytest.mark.parametrize(("v", "table"), [(1.0, FULL.log_largest), (-1.0, FULL.log_smallest)])
def test_variance_lies_between_its_bounds_in_the_logarithm(v: float, table: np.ndarray) -> None:
    t = torch.tensor([0, 1, 500, 999])
    answer = torch.cat([torch.zeros(4, 1, 2), torch.full((4, 1, 2), v)], dim=1).double()
    _, log_variance = ancestral.previous(answer, images(4, 1, 2), t, FULL)
    assert np.allclose(log_variance[:, 0, 0].numpy(), table[t.numpy()])
    _, halfway = ancestral.previous(0 * answer, images(4, 1, 2), t, FULL)
    assert np.allclose(halfway[:, 0, 0].numpy(), (FULL.log_largest + FULL.log_smallest)[t.numpy()] / 2)


def test_right_answer_has_no_error_and_no_divergence() -> None:
    t = torch.tensor([1, 10, 500, 999])
    x_0, noise, x_t = noised(t)
    answer = torch.cat([noise, torch.full_like(noise, -1.0)], dim=1)
    terms = ancestral.hybrid_loss(answer, x_0, x_t, noise, t, FULL)
    assert terms["error"].item() == pytest.approx(0, abs=1e-12)
    assert terms["bound"].item() == pytest.approx(0, abs=1e-5)


def test_bound_is_the_divergence_of_normal_distributions_in_bits() -> None:
    t = torch.tensor([1, 250, 999])
    x_0, noise, x_t = noised(t)
    answer = torch.cat([0.5 * noise, torch.full_like(noise, 0.3)], dim=1)
    mean, log_variance = ancestral.previous(answer, x_t, t, FULL)
    right = torch.cat([noise, torch.full_like(noise, -1.0)], dim=1)
    true_mean, true_log_variance = ancestral.previous(right, x_t, t, FULL)
    expected = kl_divergence(Normal(true_mean, (true_log_variance / 2).exp()), Normal(mean, (log_variance / 2).exp()))
    term = ancestral.bound_term(answer, x_0, x_t, t, FULL)
    assert torch.allclose(term, expected.flatten(1).mean(1) / math.log(2), rtol=1e-6)


def test_last_step_is_scored_by_the_probability_of_a_bin() -> None:
    t = torch.tensor([0])
    x_0, noise, x_t = noised(t)
    answer = torch.cat([noise, torch.full_like(noise, 1.0)], dim=1)
    scale = math.exp(FULL.log_largest[0] / 2)
    centred = math.erf(1 / 255 / scale / math.sqrt(2))  # the mean is right, so the bin is centred
    open_ended = (1 + centred) / 2  # half of the distribution and half a bin
    expected = torch.where(x_0.abs() > 0.999, -math.log2(open_ended), -math.log2(centred)).mean().item()
    assert ((x_0 > 0.999).any() and (x_0 < -0.999).any()) and (x_0.abs() < 0.999).any()
    assert ancestral.bound_term(answer, x_0, x_t, t, FULL).item() == pytest.approx(expected, rel=1e-2)


def test_normal_distribution_is_the_published_approximation() -> None:
    x = torch.linspace(-5, 5, 1001, dtype=torch.float64)
    error = (ancestral._normal_cdf(x) - torch.special.ndtr(x)).abs().max().item()
    assert 1e-5 < error < 3e-4


def test_bound_teaches_the_variance_and_not_the_mean() -> None:
    t = torch.tensor([0, 500])
    x_0, noise, x_t = noised(t)
    answer = torch.zeros(2, 4, 4, 4, dtype=torch.float64, requires_grad=True)
    terms = ancestral.hybrid_loss(answer, x_0, x_t, noise, t, FULL)
    assert terms["error"].item() == pytest.approx(noise.square().mean().item())
    assert terms["loss"].item() == pytest.approx((terms["error"] + terms["bound"]).item())
    (gradient,) = torch.autograd.grad(terms["loss"], answer)
    of_error = -2 * noise / noise.numel()
    assert torch.allclose(gradient[:, :2], of_error, rtol=1e-4) and gradient[:, 2:].any()


def normal_denoiser(spread: float, variance: float):
    """Return the best answer for data that are normal with mean 0, and a constant v."""

    def denoise(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha_bar = torch.tensor(ALPHAS)[t].to(x_t).view(-1, 1, 1)
        epsilon = (1 - alpha_bar).sqrt() * x_t / (alpha_bar * spread**2 + 1 - alpha_bar)
        return torch.cat([epsilon, torch.full_like(x_t, variance)], dim=1)

    return denoise


@pytest.mark.parametrize("steps", [0, 50])
@pytest.mark.parametrize("v", [-1.0, 1.0])
def test_chain_brings_normal_data_back_to_their_spread(steps: int, v: float) -> None:
    levels = ancestral.chain(ALPHAS, ancestral.respaced(249, steps, "x"))
    x_0 = 0.5 * torch.randn(8, 1, 4096, generator=generator(seed=1))
    back = ancestral.denoise_from(normal_denoiser(0.5, v), x_0, levels, generator())
    # the two bounds of the variance are right for data without and with unit spread; 0.5 lies between them
    assert back.std().item() == pytest.approx(0.5, abs=0.01 if steps == 0 else 0.03)


def test_known_image_comes_back_exactly_whatever_the_start() -> None:
    image = images(1, 3, 8).float()

    def denoise(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha_bar = torch.tensor(ALPHAS)[t].to(x_t).view(-1, 1, 1)
        return torch.cat([(x_t - alpha_bar.sqrt() * image) / (1 - alpha_bar).sqrt(), torch.zeros_like(x_t)], dim=1)

    levels = ancestral.chain(ALPHAS, ancestral.respaced(249, 20, "x"))
    back = ancestral.denoise_from(denoise, torch.zeros(2, 3, 8), levels, generator())
    assert torch.allclose(back, image.expand(2, -1, -1), atol=1e-4)


def test_network_is_told_the_levels_of_the_schedule_and_starts_at_the_noisiest() -> None:
    seen = []

    def denoise(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        seen.append((t.tolist(), x_t.std().item()))
        return torch.zeros(len(x_t), 2, 4096)

    levels = ancestral.chain(ALPHAS, ancestral.respaced(249, 5, "x"))
    ancestral.denoise_from(denoise, torch.zeros(2, 1, 4096), levels, generator())
    assert [t for t, _ in seen] == [[249] * 2, [187] * 2, [124] * 2, [62] * 2, [0] * 2]
    assert seen[0][1] == pytest.approx(math.sqrt(1 - 0.524), rel=0.02)


def test_same_generator_same_images() -> None:
    levels = ancestral.chain(ALPHAS, ancestral.respaced(249, 5, "x"))
    once, again = (ancestral.denoise_from(normal_denoiser(1.0, 0.0), images(2, 1, 8).float(), levels, generator()) for _ in "ab")
    assert torch.equal(once, again)
