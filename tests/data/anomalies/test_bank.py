from __future__ import annotations

from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
import torch

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack, Sample, write_pack
from madad.core.io.volumes import Volume, save_volume
from madad.data.anomalies.bank import Bank, build
from madad.data.anomalies.pairs import Pairs
from madad.data.anomalies.sites import pack_sign
from madad.data.template import template_on_grid
from tests.data.anomalies.conftest import GENERATOR, SPACING_MM


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bank") / "0.h5"
    build(path, 0, 1, GENERATOR)
    return path


def test_maps_lie_in_the_brain_and_within_bounds(bank: Path, anatomy: dict) -> None:
    stored = Bank([bank])
    assert len(stored) == 4 and stored.shape == anatomy["brain"].shape
    for index in range(4):
        volume = stored.volume(index)
        assert volume[anatomy["brain"] == 0].max() == 0 and 0.05 < volume.max() <= 1


def test_division_into_shards_changes_nothing(bank: Path, tmp_path: Path) -> None:
    for shard in range(2):
        build(tmp_path / f"{shard}.h5", shard, 2, GENERATOR)
    whole, parts = Bank([bank]), Bank([tmp_path / "0.h5", tmp_path / "1.h5"])
    for index, original in enumerate((0, 2, 1, 3)):
        assert np.array_equal(parts.volume(index), whole.volume(original))


def test_another_seed_gives_other_maps(bank: Path, tmp_path: Path) -> None:
    build(tmp_path / "b.h5", 0, 4, {**GENERATOR, "bank": {"size": 4, "seed": 1}})
    assert not np.array_equal(Bank([tmp_path / "b.h5"]).volume(0), Bank([bank]).volume(0))


def test_slices_show_what_the_volume_holds(bank: Path) -> None:
    stored = Bank([bank])
    drawn = stored.slice(0, np.random.default_rng(0))
    assert drawn.max() > 0 and any(np.array_equal(drawn, one) for one in stored.volume(0))


def test_real_masks_begin_maps_and_bad_ones_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = np.zeros((40, 40, 40), dtype=np.uint8)
    mask[15:25, 15:25, 15:25] = 1
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = [-10, -60, -20]
    nib.save(nib.Nifti1Image(mask, affine), tmp_path / "real.nii.gz")
    nib.save(nib.Nifti1Image(0 * mask, affine), tmp_path / "void.nii.gz")
    build(tmp_path / "b.h5", 0, 1, {**GENERATOR, "lesion_masks": str(tmp_path), "test_masks": 0.0, "random_shapes": 0.0})
    assert {entry.source for entry in Bank([tmp_path / "b.h5"]).entries} == {"real"}
    assert "void.nii.gz" in capsys.readouterr().err


def test_file_holds_no_pickle_and_says_how_maps_came_about(bank: Path) -> None:
    with h5py.File(bank) as store:
        assert set(store) == {"values", "start", "size", "source", "mirrored", "time", "digest"}
        assert store["values"].dtype == np.float16 and ((store["time"][:] >= 0.1) & (store["time"][:] <= 0.9)).all()


@pytest.mark.parametrize("slices", [1, 8])
def test_without_registration_maps_fill_the_shared_brain_of_the_images(slices: int, tmp_path: Path) -> None:
    brain = np.zeros((slices, 32, 48), dtype=bool)
    brain[:, 4:28, 6:40] = True
    narrow = brain & (np.arange(48) < 30)
    samples = [
        Sample(f"sub-{i}", "healthy", inside.astype(np.float32), inside, 0 * inside, {"subject": f"sub-{i}"})
        for i, inside in enumerate((brain, narrow, narrow))
    ]
    affine = np.diag([4.0, 4, 5 if slices == 1 else 4, 1])
    write_pack(tmp_path / "train.h5", iter(samples), affine=affine, modality="FLAIR", cohort="toy", split="train")
    build(tmp_path / "b.h5", 0, 1, {**GENERATOR, "lesion_masks": None}, tmp_path / "train.h5")
    stored = Bank([tmp_path / "b.h5"])
    assert stored.shape == brain.shape and stored.to_mni is None
    drawn = stored.slice(0, np.random.default_rng(0))
    assert drawn.shape == brain.shape[1:] and 0 < drawn.max() <= 1 and not drawn[~narrow[0]].any()
    with Pack(tmp_path / "train.h5") as pack:
        pairs = Pairs(stored, [pack_sign(pack, stored.to_mni)], healthy=0.0)
    image = torch.from_numpy(brain[:1]).float()[None] / 2
    pair = pairs(image, torch.from_numpy(brain[:1])[None], torch.Generator().manual_seed(0))
    assert (pair["image"] >= pair["healthy"]).all() and (pair["image"] > pair["healthy"]).any()


def test_missing_damaged_and_mixed_banks_are_refused(bank: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        Bank([tmp_path / "none.h5"])
    (tmp_path / "bad.h5").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"bad\.h5"):
        Bank([tmp_path / "bad.h5"])
    build(tmp_path / "coarse.h5", 0, 4, {**GENERATOR, "grid": {"spacing_mm": 9.0}})
    with pytest.raises(UserError, match=r"coarse\.h5"):
        Bank([bank, tmp_path / "coarse.h5"])


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Grid of a template file: ICBM152, stretched by a tenth from left to right and 50 mm further back."""
    known = template_on_grid(SPACING_MM)
    affine = known.t1w.affine.copy()
    affine[0] *= 1.1
    affine[1, 3] -= 50
    path = tmp_path_factory.mktemp("template") / "other.nii.gz"
    save_volume(path, Volume(known.t1w.array * known.brain.array, affine))
    return {"spacing_mm": SPACING_MM, "template": str(path)}


def test_real_masks_lie_on_another_template_where_they_lie_in_its_brain(elsewhere: dict, tmp_path: Path) -> None:
    """A mask in the right hemisphere of MNI space, far from the middle, whatever the template's own coordinates are."""
    mask = np.ones((10, 10, 10), dtype=np.uint8)
    mask[0] = 0
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = [30, -40, 10]
    nib.save(nib.Nifti1Image(mask, affine), tmp_path / "real.nii.gz")
    still = {
        "lesion_masks": str(tmp_path),
        "test_masks": 0.0,
        "random_shapes": 0.0,
        "time": [0.0, 0.001],
        "bank": {"size": 12, "seed": 0},
    }
    centres = {}
    for name, grid in (("icbm152", {"spacing_mm": SPACING_MM}), ("other", elsewhere)):
        build(tmp_path / f"{name}.h5", 0, 1, {**GENERATOR, **still, "grid": grid})
        bank = Bank([tmp_path / f"{name}.h5"])
        maps = [bank.volume(index) for index in range(12)]
        indices = [[np.average(axis, weights=one) for axis in np.indices(one.shape)] for one in maps]
        centres[name] = np.array([(bank.to_mni @ bank.affine @ [*index[::-1], 1.0])[:3] for index in indices])
    assert np.abs(centres["other"] - centres["icbm152"]).max() < 4
    assert np.abs(np.abs(centres["other"][:, 0]) - 40).max() < 20
