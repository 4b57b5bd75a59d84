from __future__ import annotations

import numpy as np
import pytest
import torch

from madad.data.anomalies.appearance import Appearance
from madad.data.anomalies.bank import Bank, Entry
from madad.data.anomalies.pairs import Pairs
from tests.data.anomalies.flows import ball

SHAPE = (10, 16, 18)


class Few(Bank):
    """Two maps without a file: a ball in the middle, and one at the edge."""

    def __init__(self, *centres: tuple[float, ...]) -> None:
        maps = [ball(SHAPE, 3, centre)[0].numpy().astype(np.float16) for centre in centres]
        self.shape, self.affine = SHAPE, np.eye(4)
        self.entries = [Entry((0, 0, 0), values, "perlin", False, 0.5) for values in maps]


MIDDLE, CORNER = (5.0, 8.0, 9.0), (0.0, 0.0, 0.0)
IMAGE = torch.full((3, 2, *SHAPE), 0.4)
BRAIN = torch.zeros(3, 1, *SHAPE, dtype=torch.bool)
BRAIN[..., 1:-1, 3:-3, 3:-3] = True


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dims", [2, 3])
def test_pair_is_healthy_outside_and_signed_inside(dims: int) -> None:
    image, brain = (IMAGE, BRAIN) if dims == 3 else (IMAGE[:, :, 5], BRAIN[:, :, 5])
    before = image.clone()
    pair = Pairs(Few(MIDDLE), [-1, 1], Appearance(), healthy=0.0)(image, brain, generator())
    lesion, outside = pair["lesion"], pair["map"] == 0
    assert torch.equal(image, before) and torch.equal(pair["healthy"], image) and lesion.shape == brain.shape
    assert lesion.flatten(1).any(1).all() and not (lesion & ~brain).any()
    for channel, sign in enumerate((-1, 1)):
        change = (pair["image"] - image)[:, channel : channel + 1]
        assert change[outside].abs().max() == 0 and (sign * change[lesion]).mean() > 0.1


def test_lesion_that_misses_the_brain_leaves_it_healthy() -> None:
    pair = Pairs(Few(CORNER), [1, 1], healthy=0.0)(IMAGE, torch.zeros_like(BRAIN) | (torch.arange(18) > 14), generator())
    assert torch.equal(pair["image"], IMAGE) and not pair["lesion"].any() and torch.isfinite(pair["image"]).all()


def test_share_of_healthy_images() -> None:
    image, brain = torch.full((200, 1, 16, 18), 0.4), torch.ones(200, 1, 16, 18, dtype=torch.bool)
    pair = Pairs(Few(MIDDLE), [1], healthy=0.2)(image, brain, generator())
    assert float(pair["lesion"].flatten(1).any(1).float().mean()) == pytest.approx(0.8, abs=0.08)


def test_same_generator_same_pairs() -> None:
    pairs = Pairs(Few(MIDDLE, CORNER), [1, 1], healthy=0.0)
    one, two, other = (pairs(IMAGE, BRAIN, generator(seed))["image"] for seed in (3, 3, 4))
    assert torch.equal(one, two) and not torch.equal(one, other)


def test_wrong_grid_or_signs_are_refused() -> None:
    with pytest.raises(ValueError):
        Pairs(Few(MIDDLE), [1, 1])(IMAGE[..., :-1], BRAIN[..., :-1], generator())
    with pytest.raises(ValueError):
        Pairs(Few(MIDDLE), [1])(IMAGE, BRAIN, generator())
