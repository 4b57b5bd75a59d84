"""Masks that contain the scalp, wholly or on one side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from madad.core.io.volumes import load_image, load_mask
from madad.data.preprocessing.skull_stripping import brain_mask, leak
from madad.data.preprocessing.steps import orientation
from tests.data.preprocessing.conftest import SPACING_MM, SyntheticHead


def grown(brain: np.ndarray, reach_mm: float, spacing_mm: float = SPACING_MM) -> np.ndarray:
    return ndimage.distance_transform_edt(~brain) * spacing_mm <= reach_mm


def share(head: SyntheticHead, mask: np.ndarray) -> float:
    found = leak.scalp_share(head.image, mask)
    assert found is not None
    return found


def test_a_brain_lies_below_its_scalp(head: SyntheticHead) -> None:
    assert share(head, head.brain) < 0.01 and share(head, grown(head.brain, 4)) < 0.01


def test_a_mask_that_contains_the_scalp_lies_below_air(head: SyntheticHead) -> None:
    assert share(head, grown(head.brain, 18)) > 0.9


def test_a_leak_on_one_side_counts_by_its_part(head: SyntheticHead) -> None:
    leaked = grown(head.brain, 18)
    leaked[: int(ndimage.center_of_mass(head.brain)[0]) + 4] = False
    assert 0.1 < share(head, leaked | head.brain) < 0.6


def test_a_stripped_image_shows_no_head(head: SyntheticHead) -> None:
    assert leak.shows_head(head.image, head.brain) and not leak.shows_head(head.stripped, head.brain)
    assert leak.scalp_share(head.stripped, head.brain) == 1


def test_a_mask_of_the_whole_head_has_only_air_above_it(head: SyntheticHead) -> None:
    everything = ndimage.binary_fill_holes(grown(head.brain, 60) & (head.image.array > 10))
    assert share(head, everything) > 0.9


def test_air_of_zero_is_air(head: SyntheticHead) -> None:
    array = np.where(head.image.array < 4, 0, head.image.array)
    assert share(SyntheticHead(head.image.with_array(array), head.brain, head.pose), grown(head.brain, 18)) > 0.9


def test_what_the_image_does_not_show_is_not_examined(head: SyntheticHead) -> None:
    """Thick slices often end at the crown: beyond them there may be scalp."""
    top = int(np.flatnonzero(head.brain.any(axis=(0, 1)))[-1])
    cut = SyntheticHead(head.image.with_array(head.image.array[..., : top + 1]), head.brain[..., : top + 1], head.pose)
    assert share(cut, cut.brain) < 0.02


@pytest.mark.parametrize("subject", ["sub-IXI012", "sub-IXI278", "sub-IXI544"])
def test_real_heads_tell_good_masks_from_leaked_ones(real_data: Path, subject: str) -> None:
    root = real_data / "ixi-hh"
    image = orientation.to_ras(load_image(next((root / subject / "anat").glob("*_T1w.nii.gz"))))
    mask = orientation.to_ras(load_mask(next((root / "derivatives" / "brainmask" / subject / "anat").glob("*mask.nii.gz"))))
    head = orientation.isotropic(image, 2.0)
    brain = brain_mask.onto(mask.with_array(mask.array.astype(np.float32)), head) > 0.5
    assert leak.scalp_share(head, brain) < 0.02  # ty: ignore[unsupported-operator]
    assert leak.scalp_share(head, grown(brain, 14, 2.0)) > 0.1  # ty: ignore[unsupported-operator]
