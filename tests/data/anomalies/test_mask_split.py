from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack
from madad.core.io.manifest import read_table
from madad.data.anomalies.bank import build
from madad.data.anomalies.implanted import implant_pack
from madad.data.anomalies.lesion_masks import read_folder
from madad.data.anomalies.mask_split import bank_sources, divided, same_lesion
from tests.data.anomalies.conftest import GENERATOR

SPLIT = {"test_masks": 0.3, "mask_seed": 0}
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
AFFINE[:3, 3] = (-90, -120, -70)


def written(folder: Path, name: str, seed: int, affine: np.ndarray = AFFINE, step: int = 1) -> None:
    """A random blob of about 25 ml at a random place of MNI space, of every `step`-th voxel."""
    generator = np.random.default_rng(seed)
    centre, radii = generator.uniform((25, 30, 25), (65, 80, 55)), generator.uniform(5, 9, 3)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in (90, 108, 80)), indexing="ij"), axis=-1)
    mask = (((grid - centre) / radii) ** 2).sum(axis=-1) < 1
    folder.mkdir(parents=True, exist_ok=True)
    scaled = affine.copy()
    scaled[:3, :3] *= step
    nib.save(nib.Nifti1Image(mask[::step, ::step, ::step].astype(np.uint8), scaled), folder / f"{name}.nii.gz")


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masks")
    for number in range(10):
        written(folder, f"mask-{number}", number)
    return folder


def names(lesions: list) -> set[str]:
    return {lesion.name for lesion in lesions}


def test_every_mask_is_on_one_side(masks: Path) -> None:
    training, test = divided(masks, SPLIT)
    assert len(test) == 3 and names(training) | names(test) == {f"mask-{n}" for n in range(10)}
    assert not names(training) & names(test) and not {a.digest for a in training} & {b.digest for b in test}


def test_the_seed_decides_and_names_do_not(masks: Path, tmp_path: Path) -> None:
    first = divided(masks, SPLIT)[1]
    assert names(divided(masks, SPLIT)[1]) == names(first)
    assert any(names(divided(masks, {**SPLIT, "mask_seed": seed})[1]) != names(first) for seed in (1, 2, 3))
    for number in range(10):
        written(tmp_path, f"{9 - number}_renamed", number)
    assert {lesion.digest for lesion in divided(tmp_path, SPLIT)[1]} == {lesion.digest for lesion in first}


@pytest.mark.parametrize(("share", "sizes"), [(0.0, (10, 0)), (1.0, (0, 10)), (0.5, (5, 5)), (0.01, (9, 1)), (0.99, (1, 9))])
def test_share_of_the_test_sets(masks: Path, share: float, sizes: tuple[int, int]) -> None:
    assert tuple(map(len, divided(masks, {**SPLIT, "test_masks": share}))) == sizes


def test_copies_and_masks_of_one_person_stay_together(tmp_path: Path) -> None:
    for number in range(6):
        written(tmp_path, f"mask-{number}", number)
        written(tmp_path / "again", f"copy-{number}", number)
        written(tmp_path / "coarse", f"coarse-{number}", number, step=2)
    for session in range(4):
        written(tmp_path, f"sub-01_ses-{session}_mask", 100 + session)
    for seed in range(8):
        training, test = (names(side) for side in divided(tmp_path, {**SPLIT, "mask_seed": seed}))
        for number in range(6):
            assert (
                len(
                    {
                        side
                        for side in (0, 1)
                        for kind in ("mask", "copy", "coarse")
                        if f"{kind}-{number}" in (training, test)[side]
                    }
                )
                == 1
            )
        assert len({f"sub-01_ses-{session}_mask" in test for session in range(4)}) == 1


def test_one_lesion_cannot_be_divided(tmp_path: Path) -> None:
    written(tmp_path, "mask", 0)
    written(tmp_path, "copy", 0)
    with pytest.raises(UserError, match="all 2 masks are of one person or one lesion") as refused:
        divided(tmp_path, SPLIT)
    assert "anomalies.test_masks to 0" in str(refused.value)


def test_different_lesions_are_not_the_same(masks: Path) -> None:
    lesions = read_folder(masks)
    assert same_lesion(lesions, lesions) == [(number, number) for number in range(10)]
    assert same_lesion(lesions, []) == []


def test_bank_and_test_set_share_no_mask(masks: Path, packs: dict[str, Path], tmp_path: Path) -> None:
    options = {**GENERATOR, "lesion_masks": str(masks), "random_shapes": 0.0, "bank": {"size": 30, "seed": 0}}
    build(tmp_path / "bank.h5", 0, 1, options)
    implanting = {
        "volumes_ml": [5.0],
        "contrasts": [0.2],
        "sign": "auto",
        "sites": ["cortical", "white_matter"],
        "per_subject": 6,
    }
    implanting |= {"seed": 0, "generator": options, "grid": GENERATOR["grid"]}
    implant_pack(packs["FLAIR"], tmp_path / "test.h5", tmp_path / "test.tsv", implanting)
    trained, tested = (
        bank_sources([tmp_path / "bank.h5"]),
        {row["source_digest"]: row["source"] for row in read_table(tmp_path / "test.tsv")},
    )
    training, test = divided(masks, SPLIT)
    assert set(trained) <= {lesion.digest for lesion in training} and len(trained) > 3
    assert set(tested) <= {lesion.digest for lesion in test} and len(tested) > 1
    assert set(trained.values()) <= names(training) and set(tested.values()) <= names(test)
    with Pack(tmp_path / "test.h5") as pack:
        assert pack.covariates[1]["implant_source_digest"] in tested


def test_bank_that_does_not_name_its_masks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bank.h5").write_bytes(b"no")
    with pytest.raises(UserError, match=r"bank\.h5: does not name the masks behind its maps"):
        bank_sources([tmp_path / "bank.h5"])
