from __future__ import annotations

import numpy as np
import pytest

from madad.data.cohorts.phantoms.contrast import BRAIN, HEAD, MODALITIES
from madad.data.cohorts.phantoms.head import MATERIALS
from madad.data.cohorts.phantoms.lesions import FAINTEST, SIGNAL, Lesion, show


def lesion(*shares: float) -> Lesion:
    return Lesion((("plaque", np.array(shares)),), np.zeros(len(shares)))


def test_the_mask_is_where_lesions_fill_more_than_half() -> None:
    assert lesion(0.0, 0.4, 0.6, 1.0).mask.tolist() == [False, False, True, True]


def test_parts_add_up_in_the_mask() -> None:
    parts = (("oedema", np.array([0.4])), ("tumour", np.array([0.4])))
    assert Lesion(parts, np.zeros(1)).mask[0]


def test_no_lesion_changes_nothing() -> None:
    clean = np.ones(3)
    assert show(None, "T1w", clean, np.random.default_rng(0)) is clean


def test_a_full_share_moves_the_signal_towards_that_of_the_lesion_faintly_or_all_the_way() -> None:
    level = SIGNAL["plaque"]["FLAIR"]
    reached = []
    for seed in range(200):
        shown = show(lesion(0.0, 1.0), "FLAIR", np.array([0.5, 0.5]), np.random.default_rng(seed))
        assert shown[0] == 0.5
        reached.append((shown[1] - 0.5) / (level - 0.5))
    # the level itself varies by 7 %
    assert FAINTEST * 0.85 < min(reached) < FAINTEST * 1.2 and 0.85 < max(reached) < 1.15


def test_fluid_is_never_faint() -> None:
    for seed in range(20):
        fluid = Lesion((("cavity", np.array([1.0])),), np.zeros(1))
        shown = show(fluid, "FLAIR", np.array([0.9]), np.random.default_rng(seed))
        assert shown[0] == pytest.approx(SIGNAL["cavity"]["FLAIR"], rel=0.08)


@pytest.mark.parametrize("part", SIGNAL)
def test_every_part_is_darker_than_white_matter_on_t1w_and_brighter_on_t2w(part: str) -> None:
    assert SIGNAL[part]["T1w"] < 0.8 * BRAIN["T1w"]["white"]
    assert SIGNAL[part]["T2w"] > 1.2 * BRAIN["T2w"]["grey"]


def test_only_fluid_filled_parts_are_dark_on_flair() -> None:
    dark = {part for part, signal in SIGNAL.items() if signal["FLAIR"] < BRAIN["FLAIR"]["white"]}
    assert dark == {"necrosis", "cavity"}


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_material_has_a_signal(modality: str) -> None:
    assert set(HEAD[modality]) == set(MATERIALS)
