from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack, write_pack
from madad.data.anomalies.sites import SITES, compartment, pack_sign, site_weights, tissue_levels, tissue_maps, without_fluid
from tests.data.anomalies.conftest import LEVELS


def test_every_site_has_room_inside_the_brain(anatomy: dict) -> None:
    weights = site_weights(anatomy["affine"], anatomy["brain"].shape)
    assert tuple(weights) == SITES
    assert all((weight > 0).sum() > 20 and (weight[anatomy["brain"] == 0] == 0).all() for weight in weights.values())


def test_sites_lie_where_their_names_say(anatomy: dict) -> None:
    weights = site_weights(anatomy["affine"], anatomy["brain"].shape)
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
            signs[modality] = pack_sign(pack, np.eye(4))
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
        tissue_maps(np.eye(4), (4, 5, 6), "odd.h5")


def test_tissue_follows_to_another_template(packs: dict[str, Path], anatomy: dict, tmp_path: Path) -> None:
    """The same images on a grid that is stretched and shifted, with the matrix that leads back to MNI space."""
    moved = np.diag([1.1, 0.9, 1.0, 1.0])
    moved[:3, 3] = [20, -40, 10]
    for modality, sign in (("T1w", -1), ("FLAIR", 1)):
        path = tmp_path / f"{modality}.h5"
        with Pack(packs[modality]) as pack:
            samples = [pack.sample(index) for index in pack.healthy()]
        write_pack(path, iter(samples), affine=moved @ anatomy["affine"], modality=modality, cohort="toy", split="test")
        with Pack(path) as pack:
            assert pack_sign(pack, np.linalg.inv(moved)) == sign
    weights = site_weights(np.linalg.inv(moved) @ moved @ anatomy["affine"], anatomy["brain"].shape)
    for name, weight in site_weights(anatomy["affine"], anatomy["brain"].shape).items():
        np.testing.assert_allclose(weights[name], weight, atol=1e-3)


def test_compartments_divide_the_brain_into_four(anatomy: dict) -> None:
    affine, shape = anatomy["affine"], anatomy["brain"].shape
    voxels = [np.linalg.solve(affine, [x, -60, z, 1])[2::-1].round() for x in (-30, 30) for z in (30, -45)]
    parts = [compartment(affine, shape, voxel) for voxel in voxels]
    assert np.array_equal(sum(part.astype(int) for part in parts), np.ones(shape))
    assert all(part[tuple(voxel.astype(int))] for part, voxel in zip(parts, voxels, strict=True))


def test_without_registration_the_sequence_decides_the_sign(packs: dict[str, Path], tmp_path: Path) -> None:
    assert {modality: pack_sign(Pack(path), None) for modality, path in packs.items()} == {"T1w": -1, "FLAIR": 1, "T2w": 1}
    strange = tmp_path / "strange.h5"
    shutil.copy(packs["FLAIR"], strange)
    with h5py.File(strange, "a") as store:
        store.attrs["modality"] = "UNIT1"
    with Pack(strange) as pack, pytest.raises(UserError, match="bright or dark on UNIT1"):
        pack_sign(pack, None)
