"""Random tensors on devices: the published answers of Philox, the laws, and the CPU's numbers unchanged."""

from __future__ import annotations

import math

import pytest
import torch

from madad.core import draws
from madad.core.seeds import torch_generator

CPU, META = torch.device("cpu"), torch.device("meta")


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, 2**64 - 1, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            0x299F31D0A4093822,
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_published_answers(counter: list[int], key: int, expected: list[int]) -> None:
    """Known answers of Random123, the code of Salmon et al. 2011."""
    assert draws.philox(1, key, CPU, counter)[:, 0].tolist() == expected


def on_another_device(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """Return a device that computes as the CPU does and is none by its name."""

    class Other:
        type = "other"

    monkeypatch.setattr(draws, "philox", lambda count, key, device, hash=draws.philox: hash(count, key, CPU))
    return Other()


@pytest.mark.parametrize("law", ["normal", "uniform"])
def test_numbers_elsewhere_follow_their_law_and_the_generator(law: str, monkeypatch: pytest.MonkeyPatch) -> None:
    device = on_another_device(monkeypatch)
    with draws.on_device():
        first, same, other = (getattr(draws, law)((401, 503), torch_generator(name), device) for name in "aab")
    assert torch.equal(first, same) and not torch.equal(first, other)
    mean, variance = (0, 1) if law == "normal" else (0.5, 1 / 12)
    assert first.mean() == pytest.approx(mean, abs=0.01) and first.var() == pytest.approx(variance, rel=0.01)
    cdf = 0.5 * (1 + torch.erf(first / math.sqrt(2))) if law == "normal" else first
    ordered = cdf.flatten().sort().values
    distance = (ordered - torch.linspace(0, 1, len(ordered))).abs().max()
    assert distance < 1.63 / math.sqrt(len(ordered))  # Kolmogorov & Smirnov at 1 %


def test_the_cpu_draws_what_its_generator_draws() -> None:
    assert torch.equal(draws.normal((3, 4), torch_generator("a"), CPU), torch.randn(3, 4, generator=torch_generator("a")))
    assert torch.equal(draws.uniform((3, 4), torch_generator("a"), CPU), torch.rand(3, 4, generator=torch_generator("a")))
    images = torch.ones(2, 1, 3, 3, dtype=torch.float64)
    noise = draws.normal_like(images, torch_generator("a"))
    assert noise.dtype == torch.float64 and torch.equal(noise, torch.randn(2, 1, 3, 3, generator=torch_generator("a")).to(images))


def test_only_a_training_draws_on_the_device() -> None:
    assert draws.by_host(CPU) and draws.by_host(META)
    with draws.on_device():
        assert draws.by_host(CPU) and not draws.by_host(META)
    assert draws.by_host(META)


def test_shape_and_device_elsewhere() -> None:
    with draws.on_device():
        noise = draws.normal((2, 1, 3, 5), torch_generator("a"), META)
    assert noise.shape == (2, 1, 3, 5) and noise.device == META and noise.dtype == torch.float32
    assert draws.like(torch.ones(3, dtype=torch.float64), noise).dtype == torch.float32
