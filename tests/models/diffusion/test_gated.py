"""Gated DDIM: the published table of coefficients, the legal chains, and what oracles and fresh networks must give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from madad.core.errors import UserError
from madad.models.diffusion.gated import GatedDenoise, ddim_coefficients, gated_ddim, respaced
from madad.models.diffusion.schedules import cosine

# Worked out independently, for t = 0 to 9: beta, alpha-bar, sqrt(1 - alpha-bar), and sigma, a, b of an update at eta = 0.5
TABLE = np.array(
    [
        [0.0279, 0.9721, 0.167, 0.0, 0.0, 1.0],
        [0.0755, 0.8987, 0.318, 0.0721, 0.4735, 0.5371],
        [0.1244, 0.7869, 0.462, 0.1216, 0.6372, 0.3828],
        [0.1772, 0.6475, 0.594, 0.1636, 0.7270, 0.3021],
        [0.2373, 0.4938, 0.711, 0.2033, 0.7841, 0.2536],
        [0.3099, 0.3408, 0.812, 0.2439, 0.8232, 0.2222],
        [0.4040, 0.2031, 0.893, 0.2890, 0.8499, 0.2007],
        [0.5370, 0.0940, 0.952, 0.3436, 0.8656, 0.1852],
        [0.7438, 0.0241, 0.988, 0.4155, 0.8669, 0.1721],
        [0.9990, 2.4e-5, 1.000, 0.4937, 0.8557, 0.1510],
    ]
)
ALPHAS = cosine(10)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def answering(clean: Tensor, keep: Tensor | float) -> GatedDenoise:
    """Return a network that answers the same to everything."""
    return lambda z, t: (clean.expand_as(z), torch.as_tensor(keep, dtype=torch.float32).expand(len(z), 1, *z.shape[2:]))


def walk(denoise: GatedDenoise, z: Tensor, seed: int = 0, **changes: object) -> Tensor:
    options = dict(timesteps=respaced(10, 10, "key"), alphas_cumprod=ALPHAS, eta=0.5, sticky=False, batch_size=64)
    return gated_ddim(denoise, z, generator=generator(seed), **{**options, **changes})


def test_published_table() -> None:
    before = np.append(1.0, ALPHAS[:-1])
    assert np.allclose(1 - ALPHAS / before, TABLE[:, 0], atol=1e-4)
    assert np.allclose(ALPHAS, TABLE[:, 1], atol=1e-4)
    assert np.allclose(np.sqrt(1 - ALPHAS), TABLE[:, 2], atol=1e-3)  # printed to three digits
    steps = [ddim_coefficients(*pair, eta=0.5) for pair in zip(ALPHAS, before, strict=True)]
    assert np.allclose([(sigma, a, b) for a, b, sigma in steps], TABLE[:, 3:], atol=1e-4)


def test_legal_chains_are_the_evenly_spaced_ones() -> None:
    chains = {10: [*range(9, -1, -1)], 5: [8, 6, 4, 2, 0], 4: [9, 6, 3, 0], 3: [8, 4, 0], 2: [5, 0]}
    assert {steps: respaced(steps, 10, "key") for steps in chains} == chains
    for steps in {*range(13)} - {*chains}:
        with pytest.raises(UserError, match=r"a\.key: .* of 10 noise levels cannot be evenly spaced; 10, 5, 4, 3, 2 can"):
            respaced(steps, 10, "a.key")


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [10, 5, 4, 3, 2])
def test_oracle_gives_exactly_the_clean_latents(steps: int, eta: float) -> None:
    clean, z = torch.randn(2, 4, 6, 6), torch.randn(2, 4, 6, 6)
    assert torch.equal(walk(answering(clean, 0.0), z, timesteps=respaced(steps, 10, "key"), eta=eta), clean)


def test_cells_that_are_told_clean_stay_bit_by_bit() -> None:
    clean, z = torch.randn(2, 4, 6, 6), torch.randn(2, 4, 6, 6)
    dirty = torch.rand(2, 1, 6, 6) < 0.5
    assert torch.equal(walk(answering(clean, (~dirty).float()), z), torch.where(dirty, clean, z))


def test_the_gate_is_strict() -> None:
    z = torch.randn(2, 4, 6, 6)
    assert torch.equal(walk(answering(torch.zeros_like(z), 0.5), z), z)
    assert not torch.equal(walk(answering(torch.zeros_like(z), 0.499999), z), z)


def test_a_flag_at_the_last_step_alone_suffices() -> None:
    clean, z = torch.randn(2, 4, 6, 6), torch.randn(2, 4, 6, 6)
    late = walk(lambda z_t, t: answering(clean, float(t[0] > 0))(z_t, t), z)
    assert torch.equal(late, clean)


def test_sticky_gate_remembers() -> None:
    clean, z = torch.randn(2, 4, 6, 6), torch.randn(2, 4, 6, 6)

    def early(z_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return answering(clean, float(t[0] < 9))(z_t, t)

    assert torch.equal(walk(early, z, sticky=True), clean)
    left = walk(early, z)
    assert not torch.equal(left, z) and not torch.equal(left, clean)


def test_first_update_of_pure_noise_has_the_published_variance() -> None:
    """With 0 for the clean latents the first step leaves 1 - alpha-bar_8 = 0.976 of unit variance."""
    z = torch.randn(64, 4, 32, 32, generator=generator(1))

    def first_alone(z_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return answering(torch.zeros(1), float(t[0] < 9))(z_t, t)

    assert walk(first_alone, z).var().item() == pytest.approx(0.976, abs=0.006)
    assert pytest.approx(0.976, abs=5e-4) == 1 - ALPHAS[8]


def test_network_is_told_the_levels_of_the_whole_chain() -> None:
    told = []

    def listening(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        told.append(t.tolist())
        return torch.zeros_like(z), torch.ones(len(z), 1, *z.shape[2:])

    walk(listening, torch.zeros(3, 4, 2, 2), timesteps=respaced(2, 10, "key"), batch_size=2)
    assert told == [[5, 5], [5], [0, 0], [0]]


def test_images_of_a_pass_do_not_matter_and_the_seed_does() -> None:
    clean, z = torch.randn(1, 4, 6, 6), torch.randn(5, 4, 6, 6)

    def gate(z_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return answering(clean, float(t[0] == 0))(z_t, t)

    first = walk(gate, z)
    assert torch.equal(first, walk(gate, z, batch_size=2))
    assert not torch.equal(first, walk(gate, z, seed=1))
    assert torch.equal(walk(gate, z, eta=0.0), walk(gate, z, eta=0.0, seed=1))
