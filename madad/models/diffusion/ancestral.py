"""Ancestral diffusion with a learned variance: the hybrid loss, and the chain of steps back from a noisy image.

Networks answer with twice the channels of the image: the noise, and for every voxel a number v that places the variance of
the step between its two bounds. Sources: Ho et al. 2020 (arXiv 2006.11239); Nichol & Dhariwal 2021 (arXiv 2102.09672).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from madad.core import draws
from madad.core.errors import UserError
from madad.models.diffusion.forward import add_noise

Denoise = Callable[[Tensor, Tensor], Tensor]

# Half a step between two of 256 levels in [-1, 1], the precision at which Nichol & Dhariwal score the last step.
HALF_BIN = 1 / 255
SMALLEST_PROBABILITY = 1e-12
OUTERMOST = 0.999  # beyond it, on either side, a bin has no end


@dataclass(frozen=True)
class Chain:
    """The noise levels of a chain, from the cleanest up, and the coefficients of a step between two of them.

    Tables are float64 of shape (K,). `timesteps` are the indices into the schedule, which the network receives.
    """

    timesteps: np.ndarray
    alphas_cumprod: np.ndarray
    betas: np.ndarray
    weight_x_0: np.ndarray  # of the mean of q(x_{t-1} | x_t, x_0); Ho et al., eq. 7
    weight_x_t: np.ndarray
    log_largest: np.ndarray  # bounds of the variance: beta_t …
    log_smallest: np.ndarray  # … and beta-tilde_t, that of q(x_{t-1} | x_t, x_0)

    def __len__(self) -> int:
        return len(self.timesteps)


def chain(alphas_cumprod: np.ndarray, timesteps: np.ndarray | None = None) -> Chain:
    """Return a chain over all levels of a schedule, or over some: beta_i = 1 - alpha-bar_{s_i} / alpha-bar_{s_{i-1}}.

    Source: Nichol & Dhariwal 2021, section 4, for the betas of a respaced chain.

    Args:
        alphas_cumprod: (T,) from `madad.models.diffusion.schedules`.
        timesteps: rising indices into it, from `respaced`; all when None.
    """
    timesteps = np.arange(len(alphas_cumprod)) if timesteps is None else timesteps
    level = alphas_cumprod[timesteps]
    before = np.append(1.0, level[:-1])
    betas = 1 - level / before
    smallest = betas * (1 - before) / (1 - level)
    # The variance of the last step is 0; its logarithm is taken from the step before it (Nichol & Dhariwal, section 3.1).
    smallest[0] = smallest[1] if len(smallest) > 1 else betas[0]
    return Chain(
        timesteps=timesteps,
        alphas_cumprod=level,
        betas=betas,
        weight_x_0=np.sqrt(before) * betas / (1 - level),
        weight_x_t=np.sqrt(1 - betas) * (1 - before) / (1 - level),
        log_largest=np.log(betas),
        log_smallest=np.log(smallest),
    )


def respaced(start: int, steps: int, key: str) -> np.ndarray:
    """Return evenly spaced indices from 0 to `start`: the levels of a chain that takes `steps` steps from there.

    Args:
        start: index of the noisiest level.
        steps: 0 for every level.
        key: name of the setting, for the error.

    Raises:
        UserError: more steps than levels.
    """
    if steps > start + 1:
        raise UserError(f"{key}: {steps} steps cannot be taken through {start + 1} noise levels; give at most {start + 1}")
    return np.linspace(start, 0, steps or start + 1).round().astype(np.int64)[::-1]


def denoise_from(denoise: Denoise, x_0: Tensor, levels: Chain, generator: torch.Generator) -> Tensor:
    """Noise images to the last level of a chain and walk back to clean ones, with new noise at every step.

    Source: Ho et al. 2020, algorithm 2, from an image instead of from noise; no estimate is clipped.

    Args:
        denoise: network that answers (B, 2C, …) to x_t (B, C, …) and t (B,).
        x_0: (B, C, …).
        levels: from `chain`.
        generator: CPU generator.

    Returns:
        (B, C, …).
    """
    indices = torch.full((len(x_0),), len(levels) - 1)
    x = add_noise(x_0, gaussian_like(x_0, generator), indices, levels.alphas_cumprod)
    for index in reversed(range(len(levels))):
        indices = torch.full((len(x),), index)
        t = torch.full((len(x),), int(levels.timesteps[index]), device=x.device)
        mean, log_variance = previous(denoise(x, t), x, indices, levels)
        x = mean if index == 0 else mean + (0.5 * log_variance).exp() * gaussian_like(x, generator)
    return x


def hybrid_loss(answer: Tensor, x_0: Tensor, x_t: Tensor, noise: Tensor, t: Tensor, levels: Chain) -> dict[str, Tensor]:
    """Return the squared error of the noise plus the variational bound at t, in bits per dimension, for the variance alone.

    Source: Nichol & Dhariwal 2021, eq. 16, with weight 1 for the bound as in the released code of arXiv 2506.10233
    (there 0.001); the mean in the bound is detached.

    Args:
        answer: (B, 2C, …) of the network for x_t.
        x_0, x_t, noise: (B, C, …).
        t: (B,) indices into the chain, on the CPU.
        levels: the chain of all levels.

    Returns:
        {"loss", "error", "bound"}, means over the batch; float32 whatever the precision of the answer.
    """
    epsilon, v = answer.float().chunk(2, dim=1)
    error = (epsilon - noise).square().mean()
    bound = bound_term(torch.cat([epsilon.detach(), v], dim=1), x_0, x_t, t, levels).mean()
    return {"loss": error + bound, "error": error.detach(), "bound": bound.detach()}


def bound_term(answer: Tensor, x_0: Tensor, x_t: Tensor, t: Tensor, levels: Chain) -> Tensor:
    """Return one term of the variational bound per image, (B,) in bits per dimension; Nichol & Dhariwal 2021, eqs. 4 to 7.

    KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), and at t = 0 the negative log-likelihood of x_0 in bins of 2/255, the
    first and the last of which are open, although latents, unlike pixels, lie beyond them: so the code of arXiv 2506.10233.
    """
    mean, log_variance = previous(answer, x_t, t, levels)
    true_mean = _column(levels.weight_x_0, t, x_t) * x_0 + _column(levels.weight_x_t, t, x_t) * x_t
    divergence = _divergence(true_mean, _column(levels.log_smallest, t, x_t), mean, log_variance)
    last = t == 0
    surprise = _surprise(x_0, mean, log_variance) if last.any() else divergence
    return torch.where(draws.sent(last, x_t.device), surprise.flatten(1).mean(1), divergence.flatten(1).mean(1)) / math.log(2)


def previous(answer: Tensor, x_t: Tensor, t: Tensor, levels: Chain) -> tuple[Tensor, Tensor]:
    """Return mean and log variance of p(x_{t-1} | x_t).

    The variance is interpolated in the logarithm: log sigma^2 = v' log beta_t + (1 - v') log beta-tilde_t, v' = (v + 1) / 2
    (Nichol & Dhariwal 2021, eq. 15).
    """
    epsilon, v = answer.to(x_t.dtype).chunk(2, dim=1)
    alpha_bar = _column(levels.alphas_cumprod, t, x_t)
    x_0 = (x_t - (1 - alpha_bar).sqrt() * epsilon) / alpha_bar.sqrt()
    mean = _column(levels.weight_x_0, t, x_t) * x_0 + _column(levels.weight_x_t, t, x_t) * x_t
    share = (v + 1) / 2
    return mean, share * _column(levels.log_largest, t, x_t) + (1 - share) * _column(levels.log_smallest, t, x_t)


def gaussian_like(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw standard normal noise on the CPU, in the shape and type and on the device of the images."""
    return draws.normal_like(images, generator)


def _divergence(mean: Tensor, log_variance: Tensor, other_mean: Tensor, other_log_variance: Tensor) -> Tensor:
    """Return the KL divergence of two normal distributions, in nats."""
    gap = log_variance - other_log_variance
    return 0.5 * (gap.exp() - 1 - gap + (mean - other_mean).square() * (-other_log_variance).exp())


def _surprise(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return -log P(x within its bin), in nats; Ho et al. 2020, eq. 13, with the outermost bins open as there."""
    scale = (-0.5 * log_variance).exp()
    below_upper, below_lower = (_normal_cdf((x - mean + side * HALF_BIN) * scale) for side in (1, -1))
    inside = torch.where(x > OUTERMOST, 1 - below_lower, below_upper - below_lower)
    return -torch.where(x < -OUTERMOST, below_upper, inside).clamp_min(SMALLEST_PROBABILITY).log()


def _normal_cdf(x: Tensor) -> Tensor:
    """Return the standard normal distribution function as the released codes approximate it, within 3e-4.

    Source: Page 1977 (doi:10.2307/2346872), eq. 3.
    """
    return 0.5 * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)).tanh())


def _column(table: np.ndarray, t: Tensor, images: Tensor) -> Tensor:
    column = draws.like(torch.from_numpy(table[t.cpu().numpy()]), images)
    return column.view(-1, *[1] * (images.ndim - 1))
