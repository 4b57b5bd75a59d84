from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from madad.core.io.volumes import Volume
from madad.data.preprocessing import quality_measures
from madad.data.preprocessing.skull_stripping import brain_mask, head_model
from tests.data.preprocessing.conftest import SyntheticHead

BRAIN = np.zeros((20, 22, 18), dtype=bool)
BRAIN[5:15, 6:16, 4:14] = True


@pytest.mark.parametrize("background", [0.0, 3e-6, -5.0])
def test_background_of_a_stripped_image_need_not_be_exactly_zero(background: float) -> None:
    image = np.where(BRAIN, 800.0, background).astype(np.float32)
    assert np.array_equal(brain_mask.nonzero(Volume(image, np.eye(4))), BRAIN)


def test_a_model_laid_too_large_is_laid_again(head: SyntheticHead, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first mask that reaches through the skull, as that of a small brain in a wide skull."""
    starts = []

    def swollen(_: Volume, start: np.ndarray) -> np.ndarray:
        starts.append(start)
        return ndimage.binary_dilation(head.brain, iterations=3 if len(starts) == 1 else 1)

    monkeypatch.setattr(head_model, "locate", lambda _: head.pose @ np.diag([1.15, 1.15, 1.15, 1.0]))
    monkeypatch.setitem(brain_mask.WAYS, "template", swollen)
    mask, start = brain_mask.strip(head.image, "template")
    assert len(starts) == 2
    assert np.linalg.det(start[:3, :3]) == pytest.approx(np.linalg.det(head.pose[:3, :3]), rel=0.1)
    assert quality_measures.dice(mask, head.brain) > 0.9
