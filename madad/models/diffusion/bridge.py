"""A diffusion bridge between two images of one subject, its preconditioned network and its sampler (DDBM).

Source: Zhou, Lou, Khanna & Ermon 2024 (arXiv 2309.16948), in its variance-preserving form, as its released code has it. At t = 0
stands the healthy image x_0, at t = 1 the image with a lesion x_1; in between q(x_t | x_0, x_1) = N(a x_1 + b x_0, c I).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from madad.models.diffusion.ancestral import gaussian_like
from madad.models.diffusion.forward import from_signed, to_signed

BETA_RISE, BETA_LEAST = 2.0, 0.1  # beta(t) = 2 t + 0.1
T_LEAST, T_MOST = 1e-4, 1 - 1e-4
NODE_POWER = 7  # of Karras et al. 2022 (arXiv 2206.00364), eq. 5
TIME_SCALE = 250  # of log t, which the network is told

Denoise = Callable[[Tensor, Tensor], Tensor]


def beta(t: Tensor) -> Tensor:
    """Return the rate of noise at times t in [0, 1]."""
    return BETA_RISE * t + BETA_LEAST


def _integral(t: Tensor) -> Tensor:
    return BETA_RISE * t.square() / 2 + BETA_LEAST * t


def weights(t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return a, b and c of q(x_t | x_0, x_1) at times t, float64; arXiv 2309.16948, eq. 7."""
    whole, part = _integral(torch.ones((), dtype=torch.float64)), _integral(t.double())
    ratio = torch.expm1(part) / torch.expm1(whole)  # SNR_1 / SNR_t
    a = ratio * torch.exp((whole - part) / 2)
    b = torch.exp(-part / 2) * (1 - ratio)
    return a, b, -torch.expm1(-part) * (1 - ratio)


def towards_end(x_t: Tensor, x_1: Tensor, t: Tensor) -> Tensor:
    """Return h = grad log q(x_1 | x_t) at one time t (), which draws every path to x_1; arXiv 2309.16948, eq. 4."""
    whole, part = _integral(torch.ones((), dtype=torch.float64)), _integral(t.double())
    spread = -torch.expm1(-part) * (torch.expm1(whole) / torch.expm1(part) - 1)
    return (float(torch.exp((whole - part) / 2)) * x_1 - x_t) / float(spread)


def nodes(count: int) -> Tensor:
    """Return the times of the sampler, float64, from the latest down to 0; Karras et al. 2022 (arXiv 2206.00364), eq. 5."""
    even = torch.linspace(T_MOST ** (1 / NODE_POWER), T_LEAST ** (1 / NODE_POWER), count, dtype=torch.float64)
    return torch.cat([even**NODE_POWER, torch.zeros(1, dtype=torch.float64)])


@dataclass(frozen=True)
class Scales:
    """Standard deviation of both images and their correlation, from which the network's input and output are scaled.

    Attributes:
        sigma: of x_0 and of x_1.
        correlation: of x_0 with x_1, below 1.
    """

    sigma: float
    correlation: float

    def of(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return c_in, c_skip and c_out at times t, float64; arXiv 2309.16948, section 4.1.

        D(x_t) = c_skip x_t + c_out F(c_in x_t): x_t so scaled, and what F must answer, have variance 1.
        """
        a, b, c = weights(t)
        variance, shared = self.sigma**2, self.correlation * self.sigma**2
        total = (a**2 + b**2) * variance + 2 * a * b * shared + c
        c_out = (a**2 * (variance**2 - shared**2) + variance * c).sqrt() / total.sqrt()
        return total.rsqrt(), (b * variance + a * shared) / total, c_out


class ImageSpace:
    """Slices as they are, in [-1, 1], in place of the latents of `madad.models.networks.latent_space.LatentSpace`."""

    channels = 1

    def encode(self, images: Tensor) -> Tensor:
        """Return images (B, 1, H, W) in [-1, 1]."""
        return to_signed(images)

    encode_volume = encode

    def decode_volume(self, images: Tensor, slices: int) -> Tensor:
        """Return images in [0, 1] up to the network's error."""
        return from_signed(images)


def walked_back(denoise: Denoise, x_1: Tensor, count: int, churn: float, guidance: float, generator: torch.Generator) -> Tensor:
    """Walk from images to their healthy twins, by a step of noise and one of Heun in every interval; arXiv 2309.16948, alg. 1.

    Args:
        denoise: D(x_t, t), the estimate of x_0 at one time ().
        x_1: (B, C, H, W), the images.
        count: intervals; the network is asked 3 count - 1 times, 2 count - 1 times without churn.
        churn: share of an interval that is walked with noise.
        guidance: weight of h.
        generator: CPU generator.

    Returns:
        (B, C, H, W).
    """

    def drift(x: Tensor, t: Tensor, share: float) -> Tensor:
        a, b, c = (float(weight) for weight in weights(t))
        score = -(x - a * x_1 - b * denoise(x, t)) / c
        rate = float(beta(t))
        return -rate / 2 * x - rate * (share * score - guidance * towards_end(x, x_1, t))

    x, times = x_1, nodes(count)
    for start, end in itertools.pairwise(times):
        t = start + churn * (end - start)
        if churn:
            step = float(start - t)
            x = x - step * drift(x, start, 1.0) + (float(beta(start)) * step) ** 0.5 * gaussian_like(x, generator)
        slope = drift(x, t, 0.5)
        ahead = x + float(end - t) * slope
        x = x + float(end - t) / 2 * (slope + drift(ahead, end, 0.5)) if end > 0 else ahead
    return x
