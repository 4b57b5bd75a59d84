"""Random tensors on the device that computes, and small host tensors sent there, without the host waiting for the device.

The numbers are those of the generator that is passed in, on the CPU, so that maps are made with the same noise everywhere. In a
training step on another device (`on_device`) the generator gives a key alone, and the numbers are those of Philox 4x32-10, a hash
of key and position (Salmon et al. 2011, doi:10.1145/2063384.2063405), so that they depend neither on the model of the device nor
on how its kernels divide their work.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
MASK = 0xFFFFFFFF
# The driver of CUDA takes in so much from ordinary memory at once, without waiting for the device.
STAGED_BYTES = 2**16
# float32 holds integers of 24 bits exactly
DROPPED_BITS, UNIT = 8, 2.0**-24


# Whether numbers are drawn by the device that computes.
_on_device = ContextVar("on_device", default=False)


@contextmanager
def on_device() -> Generator[None]:
    """Let the device that computes draw large tensors, as in a training."""
    before = _on_device.set(True)
    try:
        yield
    finally:
        _on_device.reset(before)


def by_host(device: torch.device) -> bool:
    """Return whether the host draws what is used on a device."""
    return device.type == "cpu" or not _on_device.get()


def sent(values: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Return a tensor of the host on a device, and in another type if one is given.

    On CUDA the copy takes its place in the queue of the device; the host does not wait. Larger tensors pass through memory from
    which the device can copy by itself.
    """
    if device.type == "cuda" and values.device.type == "cpu" and values.nbytes > STAGED_BYTES:
        values = values.pin_memory()
    return values.to(device=device, dtype=dtype or values.dtype, non_blocking=device.type != "mps")


def like(values: Tensor, other: Tensor) -> Tensor:
    """Return a tensor of the host on the device and in the type of another one."""
    return sent(values, other.device, other.dtype)


def normal(shape: Sequence[int], generator: torch.Generator, device: torch.device) -> Tensor:
    """Draw standard normal float32 numbers of a shape on a device, where it does so itself by Box & Muller's transform.

    Source: Box & Muller 1958 (doi:10.1214/aoms/1177706645).
    """
    if by_host(device):
        return sent(torch.randn(shape, generator=generator), device)
    count = math.prod(shape)
    bits = philox(-(-count // 4), _key(generator), device)
    radius = (-2 * (1 - _unit(bits[:2])).log()).sqrt()  # of (0, 1]
    angle = 2 * math.pi * _unit(bits[2:])
    return torch.cat([radius * angle.cos(), radius * angle.sin()]).flatten()[:count].view(tuple(shape))


def normal_like(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw standard normal noise in the shape and type and on the device of images."""
    return normal(images.shape, generator, images.device).to(images)


def uniform(shape: Sequence[int], generator: torch.Generator, device: torch.device) -> Tensor:
    """Draw float32 numbers in [0, 1) of a shape on a device."""
    if by_host(device):
        return sent(torch.rand(shape, generator=generator), device)
    count = math.prod(shape)
    return _unit(philox(-(-count // 4), _key(generator), device)).flatten()[:count].view(tuple(shape))


def philox(count: int, key: int, device: torch.device, counter: Sequence[int] = (0, 0, 0, 0)) -> Tensor:
    """Return four words for every counter from a first one on; Salmon et al. 2011, section 3.3.

    Args:
        count: N.
        key: of 64 bits.
        device: that computes.
        counter: four words; the first is counted up.

    Returns:
        (4, N) int64 in [0, 2^32).
    """
    first = torch.arange(count, device=device) + counter[0]
    words = [first, *(torch.full_like(first, word) for word in counter[1:])]
    keys = [key & MASK, key >> 32 & MASK]
    for _ in range(ROUNDS):
        low, high = words[0] * MULTIPLIERS[0], words[2] * MULTIPLIERS[1]  # int64 keeps the 64 bits of the product
        words = [(high >> 32 & MASK) ^ words[1] ^ keys[0], high & MASK, (low >> 32 & MASK) ^ words[3] ^ keys[1], low & MASK]
        keys = [(word + step) & MASK for word, step in zip(keys, KEY_STEPS, strict=True)]
    return torch.stack(words)


def _unit(bits: Tensor) -> Tensor:
    """Return words of 32 bits as float32 numbers in [0, 1)."""
    return (bits >> DROPPED_BITS).float() * UNIT


def _key(generator: torch.Generator) -> int:
    """Draw a key on the host."""
    return int(torch.randint(2**62, (), generator=generator))
