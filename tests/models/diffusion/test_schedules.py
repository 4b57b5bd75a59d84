"""Noise schedules against published values."""

from __future__ import annotations

import numpy as np
import pytest

from madad.models.diffusion import schedules


@pytest.mark.parametrize(("t", "value"), [(249, 0.8470), (498, 0.4954), (499, 0.4938), (749, 0.1443)])
def test_cosine_values(t: int, value: float) -> None:
    assert schedules.cosine(1000)[t] == pytest.approx(value, abs=5e-5)


def test_share_of_the_signal_at_published_levels() -> None:
    signal = np.sqrt(schedules.cosine(1000)[[0, 99, 199, 299, 399, 499, 599, 749]])
    assert signal == pytest.approx([1.0, 0.9859, 0.9480, 0.8871, 0.8047, 0.7027, 0.5838, 0.3798], abs=6e-5)


def test_cosine_is_the_closed_form_but_for_the_limited_end() -> None:
    u = (np.arange(1, 1001) / 1000 + 0.008) / 1.008 * np.pi / 2
    closed = np.cos(u) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    assert np.allclose(schedules.cosine(1000)[:-1], closed[:-1], rtol=1e-9)
    assert 0 < schedules.cosine(1000)[-1] < 1e-6


def test_linear_is_far_noisier_in_the_middle() -> None:
    assert schedules.linear(1000)[499] == pytest.approx(0.0786, abs=5e-5)


@pytest.mark.parametrize("name", schedules.NAMES)
@pytest.mark.parametrize("steps", [10, 50, 1000])
def test_tables_fall_from_signal_to_noise(name: str, steps: int) -> None:
    table = schedules.alphas_cumprod(name, steps)
    assert table.shape == (steps,) and table.dtype == np.float64
    assert (np.diff(table) < 0).all() and 0 < table[-1] < 1e-3 and table[0] < 1


def test_table_cannot_be_narrowed_or_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        schedules.cosine(1000)[0] = 1


def test_unknown_schedule() -> None:
    with pytest.raises(ValueError, match="sigmoid"):
        schedules.alphas_cumprod("sigmoid", 10)
