from __future__ import annotations

import numpy as np
from scipy import ndimage

from madad.data.preprocessing.quality_measures import dice
from madad.data.preprocessing.skull_stripping import bet
from madad.data.preprocessing.steps import orientation
from tests.data.preprocessing.conftest import SyntheticHead


def test_inflate_grows_to_the_rim(head: SyntheticHead) -> None:
    fine = orientation.isotropic(head.image, 2.0)
    brain = orientation.isotropic(head.image.with_array(head.brain.astype(np.float32)), 2.0).array > 0.5
    small = ndimage.binary_erosion(brain, iterations=3)
    grown = bet.inflate(fine, small)
    assert dice(grown, brain) > max(0.9, dice(small, brain) + 0.04)


def test_inflate_stays_quiet(head: SyntheticHead, capsys: object, monkeypatch: object) -> None:
    monkeypatch.setattr(bet, "STEPS", 2)
    bet.inflate(head.image, head.brain)
    assert capsys.readouterr().out == ""


def test_inflate_beside_the_edge_of_the_field_of_view(head: SyntheticHead, monkeypatch: object) -> None:
    monkeypatch.setattr(bet, "STEPS", 20)
    top = int(np.flatnonzero(head.brain.any(axis=(0, 1)))[-1]) - 3
    cut = head.image.with_array(head.image.array[:, :, :top])
    assert bet.inflate(cut, head.brain[:, :, :top]).shape == cut.array.shape
