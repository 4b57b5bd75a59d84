"""Random numbers from coordinates, never from history.

A stream is named by what it is for (seed, verb, subject, step …). Resuming, another batch size or another order
of the subjects can therefore not change a result.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_from(*coordinates: int | str) -> int:
    """A 63-bit seed that depends on every coordinate and is the same on every machine.

    Source: the first eight bytes of SHA-256 over the coordinates' text.
    """
    text = "\x1f".join(f"{type(c).__name__}:{c}" for c in coordinates)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(*coordinates: int | str) -> np.random.Generator:
    """A numpy generator for the given coordinates."""
    return np.random.default_rng(seed_from(*coordinates))


def torch_generator(*coordinates: int | str) -> torch.Generator:
    """A torch CPU generator for the given coordinates.

    It lives on the CPU on every device, so that a CPU and a GPU run draw the same numbers.
    """
    import torch  # heavy; the rest of this module serves torch-free stages

    return torch.Generator(device="cpu").manual_seed(seed_from(*coordinates))
