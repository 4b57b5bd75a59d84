"""From a noisy image back to a clean one. Networks come in as callables `denoise(x_t, t) -> x_0`, some with signals after t."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from madad.core import draws
from madad.core.errors import UserError
from madad.models.diffusion.forward import add_noise

Denoise = Callable[..., Tensor]


def level_indices(levels: list[int], num_train_timesteps: int, key: str) -> list[int]:
    """Convert noise levels of a paper, counted from 1, to indices into a table, counted from 0.

    Args:
        levels: at least one, each at least 1.
        key: name of the setting, for the error.

    Raises:
        UserError: a level beyond the last.
    """
    if max(levels) > num_train_timesteps:
        raise UserError(
            f"{key}: {max(levels)} is beyond the last level, num_train_timesteps = {num_train_timesteps}; give levels up to it"
        )
    return [level - 1 for level in levels]


def one_step(
    denoise: Denoise,
    x_0: Tensor,
    noise: Tensor,
    t: int,
    alphas_cumprod: np.ndarray,
    batch_size: int,
    region: Tensor | bool = True,
    signals: Sequence[Tensor] = (),
) -> Tensor:
    """Predict the clean images from one noise level in one pass, without iterating.

    Source: the prediction of x_0 at a fixed t as in Behrendt et al. 2023 (arXiv 2303.03758), section 2.

    Args:
        denoise: network that predicts x_0 from x_t (B, C, H, W), t (B,) and the signals.
        x_0: images (S, C, H, W).
        noise: (S, C, H, W) or (1, C, H, W).
        t: index into the table.
        alphas_cumprod: (T,).
        batch_size: images per pass; affects memory, not the result.
        region: (1, H, W) or (S, 1, H, W) bool, where noise is added; the rest of the image stays clean.
        signals: (S, …) each, what the network takes beside.

    Returns:
        (S, C, H, W).
    """
    regions = torch.as_tensor(region, device=x_0.device).expand(len(x_0), 1, *x_0.shape[2:])
    pieces = []
    inputs = (x_0, noise.expand_as(x_0), regions, *signals)
    for images, n, inside, *beside in zip(*(each.split(batch_size) for each in inputs), strict=True):
        steps = torch.full((len(images),), t, dtype=torch.long)
        x_t = torch.where(inside, add_noise(images, n, steps, alphas_cumprod), images)
        pieces.append(denoise(x_t, draws.sent(steps, images.device), *beside))
    return torch.cat(pieces)


def mean(images: Iterable[Tensor]) -> Tensor:
    """Average images of equal shape; one is in memory at a time."""
    total, count = None, 0
    for image in images:
        total = image if total is None else total + image
        count += 1
    if total is None:
        raise ValueError("no images to average")
    return total / count
