"""Random numbers that depend on coordinates, never on what was drawn before.

A stream is named by its purpose (seed, stage, subject, step …). Resuming, another batch size or another order of the subjects
therefore cannot change a result.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_from(*coordinates: int | str) -> int:
    """Return a 63-bit seed that depends on every coordinate and is the same on every machine.

    Source: the first eight bytes of SHA-256 over the coordinates' text.
    """
    text = "\x1f".join(f"{type(c).__name__}:{c}" for c in coordinates)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(*coordinates: int | str) -> np.random.Generator:
    """Return a numpy generator for the given coordinates."""
    return np.random.default_rng(seed_from(*coordinates))


def torch_generator(*coordinates: int | str) -> torch.Generator:
    """Return a torch generator for the given coordinates.

    It is on the CPU whatever the device; `madad.core.draws` makes of it what is needed on the device.
    """
    import torch  # slow to import; stages without torch use the rest of this module

    return torch.Generator(device="cpu").manual_seed(seed_from(*coordinates))
