"""The forward process."""

from __future__ import annotations

import torch

from madad.models.diffusion import forward, schedules

TABLE = schedules.cosine(1000)


def test_every_image_has_its_own_level() -> None:
    x_0, n = torch.ones(2, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    x_t = forward.add_noise(x_0, n, torch.tensor([499, 749]), TABLE)
    assert torch.allclose(x_t[:, 0, 0, 0] ** 2, torch.tensor([TABLE[499], TABLE[749]]).float())


def test_variance_is_kept_with_unit_noise() -> None:
    x_0, n = (torch.randn(1, 1, 200, 200, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    assert abs(forward.add_noise(x_0, n, torch.tensor([499]), TABLE).var().item() - 1) < 0.03


def test_table_survives_a_narrow_call() -> None:
    narrow = forward.add_noise(torch.ones(1, 1, 2, 2, dtype=torch.bfloat16), torch.zeros(1).bfloat16(), torch.tensor([1]), TABLE)
    assert narrow.dtype == torch.bfloat16
    assert len(set(schedules.cosine(1000))) == 1000 and len(set(TABLE)) == 1000


def test_range_and_back() -> None:
    x = torch.tensor([-0.1, 0.0, 0.25, 1.2])
    assert torch.allclose(forward.from_signed(forward.to_signed(x)), x)
    assert forward.to_signed(torch.tensor([0.0, 1.0])).tolist() == [-1, 1]


def test_training_sees_every_level_equally_often() -> None:
    t = forward.draw_timesteps(20_000, TABLE[:10], torch.Generator().manual_seed(0))
    assert t.dtype == torch.long and (torch.bincount(t, minlength=10) / 2000 - 1).abs().max() < 0.1
