from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from madad.data.anomalies.appearance import PRESETS, Appearance, draw_change, encode, lesion_mask, smooth_noise
from tests.data.anomalies.flows import ball

GRID = (24, 26)
IMAGE = torch.full((1, *GRID), 0.4)
MAPS = ball(GRID, 6) * 0.8


def shown(
    appearance: Appearance, sign: float = -1.0, seed: int = 0, maps: torch.Tensor = MAPS, image: torch.Tensor = IMAGE
) -> torch.Tensor:
    change = draw_change(image, maps, torch.tensor([sign]), appearance, [np.random.default_rng(seed)])
    return encode(image, maps, change)


def test_mask_is_relative_to_the_peak_of_each_map() -> None:
    masks = lesion_mask(torch.cat([MAPS, MAPS / 100, 0 * MAPS]))
    assert torch.equal(masks[0], masks[1]) and masks[0].sum() == (MAPS > 0).sum() and not masks[2].any()


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000))
@pytest.mark.parametrize("preset", ["una_code", "conddiff_code"])
def test_lesion_is_darker_or_brighter_by_sign(preset: str, seed: int) -> None:
    inside = MAPS > 0
    dark = shown(Appearance(preset), -1.0, seed)
    assert dark[inside].mean() < 0.3
    bright = shown(Appearance(preset), 1.0, seed)
    assert bright[inside].mean() > 0.5 if preset == "una_code" else bright[inside].mean() < 0.3


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("options", [{}, {"texture": 4.0, "bias": 0.3, "blend": 0.6}])
def test_image_stays_in_range_and_is_untouched_outside(preset: str, options: dict) -> None:
    before = IMAGE.clone()
    after = shown(Appearance(preset, **options))
    assert torch.equal(IMAGE, before) and torch.equal(after[MAPS == 0], IMAGE[MAPS == 0])
    assert after.min() >= 0 and after.max() <= 1 and torch.isfinite(after).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_empty_map_gives_the_image_bit_for_bit(preset: str) -> None:
    image = torch.rand(1, *GRID, generator=torch.Generator().manual_seed(0))
    assert torch.equal(shown(Appearance(preset), maps=0 * MAPS, image=image), image)


def test_shift_is_that_of_the_preset() -> None:
    changes = [
        draw_change(IMAGE, MAPS, torch.tensor([-1.0]), Appearance("conddiff_code"), [np.random.default_rng(s)])[0]
        for s in range(40)
    ]
    inside = MAPS[0] > 0
    ratios = torch.stack([-change[inside].mean() / 0.4 for change in changes])
    assert ratios.min() > 0.72 and ratios.max() < 1.03 and ratios.std() > 0.03


def test_paper_preset_follows_white_matter() -> None:
    white = torch.tensor([0.8])
    shifts = [
        float(draw_change(IMAGE, MAPS, torch.tensor([1.0]), Appearance("una_paper"), [np.random.default_rng(s)], white).max())
        for s in range(200)
    ]
    assert np.mean(shifts) == pytest.approx(0.4, abs=0.08)


def test_flip_turns_the_sign_around() -> None:
    inside = MAPS > 0
    signs = [float((shown(Appearance(flip=0.2), 1.0, seed) - IMAGE)[inside].mean()) > 0 for seed in range(200)]
    assert np.mean(signs) == pytest.approx(0.8, abs=0.08)
    assert (shown(Appearance(flip=1.0), 1.0) - IMAGE)[inside].mean() < 0


def test_blend_hides_the_anatomy() -> None:
    image = torch.linspace(0.2, 0.6, GRID[1]).expand(1, *GRID).clone()
    inside = MAPS > 0
    spreads = [float(shown(Appearance("una_paper", blend=b), 1.0, 1, ball(GRID, 6), image)[inside].std()) for b in (0.0, 1.0)]
    assert spreads[1] < 0.05 * spreads[0]


def test_texture_is_smoother_than_white_noise_and_standardised() -> None:
    smooth = smooth_noise((60, 60), 8.0, np.random.default_rng(0))
    assert float(smooth.std()) == pytest.approx(1, abs=1e-4) and smooth.diff(dim=0).std() < 0.5
    assert smooth_noise((9, 10, 11), 3.0, np.random.default_rng(0)).shape == (9, 10, 11)


def test_unknown_preset_is_refused() -> None:
    with pytest.raises(ValueError, match="una_cod"):
        shown(Appearance("una_cod"))
