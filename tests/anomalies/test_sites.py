from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from madad.anomalies.sites import SITES, compartment, pack_sign, site_weights, tissue_levels, tissue_maps, without_fluid
from madad.errors import UserError
from madad.stores import Pack
from tests.anomalies.conftest import LEVELS, SPACING_MM


def test_every_site_has_room_inside_the_brain(anatomy: dict) -> None:
    weights = site_weights(SPACING_MM)
    assert tuple(weights) == SITES
    assert all((weight > 0).sum() > 20 and (weight[anatomy["brain"] == 0] == 0).all() for weight in weights.values())


def test_sites_lie_where_their_names_say(anatomy: dict) -> None:
    weights = site_weights(SPACING_MM)
    heights = {name: float(np.argwhere(weight > 0)[:, 0].mean()) for name, weight in weights.items()}
    assert heights["infratentorial"] < heights["deep_grey"] < heights["white_matter"]
    assert not ((weights["cortical"] > 0) & (weights["deep_grey"] > 0)).any()


@pytest.mark.parametrize("modality", LEVELS)
def test_partial_volume_model_finds_the_pure_tissues(packs: dict[str, Path], anatomy: dict, modality: str) -> None:
    with Pack(packs[modality]) as pack:
        levels = tissue_levels(pack.image(0), pack.brain(0), anatomy["grey"], anatomy["white"])
    assert levels == pytest.approx(LEVELS[modality], abs=0.03)


def test_lesions_are_dark_where_white_matter_is_bright(packs: dict[str, Path]) -> None:
    signs = {}
    for modality, path in packs.items():
        with Pack(path) as pack:
            signs[modality] = pack_sign(pack)
    assert signs == {"T1w": -1, "FLAIR": 1, "T2w": 1}


@pytest.mark.parametrize("modality", LEVELS)
def test_fluid_is_told_from_tissue(packs: dict[str, Path], anatomy: dict, modality: str) -> None:
    with Pack(packs[modality]) as pack:
        brain = pack.brain(0)
        kept = without_fluid(pack.image(0), brain, anatomy["grey"], anatomy["white"])
    tissue = anatomy["grey"] + anatomy["white"]
    assert not kept[~brain].any() and kept[brain & (tissue > 0.95)].mean() > 0.95
    assert tissue[kept].mean() > tissue[brain & ~kept].mean() + 0.3


def test_fluid_like_tissue_leaves_the_brain_whole(anatomy: dict) -> None:
    brain = anatomy["brain"] > 0
    assert np.array_equal(without_fluid(0.5 * brain, brain, anatomy["grey"], anatomy["white"]), brain)


def test_pack_of_another_grid_is_refused() -> None:
    with pytest.raises(UserError, match=r"odd\.h5"):
        tissue_maps(SPACING_MM, (4, 5, 6), "odd.h5")


def test_compartments_divide_the_brain_into_four(anatomy: dict) -> None:
    affine, shape = anatomy["affine"], anatomy["brain"].shape
    voxels = [np.linalg.solve(affine, [x, -60, z, 1])[2::-1].round() for x in (-30, 30) for z in (30, -45)]
    parts = [compartment(affine, shape, voxel) for voxel in voxels]
    assert np.array_equal(sum(part.astype(int) for part in parts), np.ones(shape))
    assert all(part[tuple(voxel.astype(int))] for part, voxel in zip(parts, voxels, strict=True))
