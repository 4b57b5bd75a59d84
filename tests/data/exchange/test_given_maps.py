"""Maps in files: found by exact names, checked, carried from native space; what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack, Prediction, Sample, write_pack
from madad.core.io.manifest import write_table
from madad.data.exchange import given_maps
from madad.data.exchange.case_names import case_name
from madad.data.preprocessing.steps import registration
from tests.data.exchange.conftest import save, score


def read(packs: list[Pack], folder: Path, file: str = "", space: str = "template", tables: tuple = ()) -> list[Prediction]:
    return list(given_maps.predictions(packs, {"folder": str(folder), "file": file, "space": space}, tables))


def write_all(packs: list[Pack], folder: Path, dtype: type = np.float32) -> None:
    for pack in packs:
        for index, name in enumerate(pack.names):
            save(folder / pack.split / f"{name}.nii.gz", score(pack, index).astype(dtype), pack.affine)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maps_of_any_float_type_are_read_by_subject_in_the_order_of_the_packs(
    packs: list[Pack], tmp_path: Path, dtype: type
) -> None:
    write_all(packs, tmp_path / "maps", dtype)
    found = read(packs, tmp_path / "maps/{split}")
    assert [(one.split, one.name) for one in found] == [(pack.split, name) for pack in packs for name in pack.names]
    whole = [np.where(pack.brain(i), pack.image(i), 0) for pack in packs for i in range(len(pack))]
    assert all(np.allclose(one.anomaly_map, array) for one, array in zip(found, whole, strict=True))
    assert all(np.isnan(one.seconds) and one.reconstruction is None for one in found)


def test_half_precision_is_read_too(packs: list[Pack], tmp_path: Path) -> None:
    """NIfTI has no half precision; scaled integers are what writers use instead."""
    for index, name in enumerate(packs[1].names):
        image = nib.Nifti1Image(score(packs[1], index).transpose(2, 1, 0), packs[1].affine)
        image.header.set_data_dtype(np.int16)
        (tmp_path / "maps").mkdir(exist_ok=True)
        nib.save(image, tmp_path / "maps" / f"{name}.nii")
    found = read(packs[1:], tmp_path / "maps")
    brain = packs[1].brain(0)
    assert np.allclose(found[0].anomaly_map[brain], packs[1].image(0)[brain], atol=1e-3)


def test_maps_may_have_the_names_of_an_exported_test_set(packs: list[Pack], tmp_path: Path) -> None:
    for pack in packs:
        for index in range(len(pack)):
            save(tmp_path / "maps" / f"{case_name(pack, index)}.nii.gz", score(pack, index), pack.affine)
    assert len(read(packs, tmp_path / "maps")) == 4


def test_a_pattern_says_where_a_map_lies(packs: list[Pack], tmp_path: Path) -> None:
    for index, name in enumerate(packs[1].names):
        save(tmp_path / "maps" / name / f"{name}_anomaly.nii.gz", score(packs[1], index), packs[1].affine)
    assert len(read(packs[1:], tmp_path / "maps", "{name}/{name}_anomaly.nii.gz")) == 3


def refusal(packs: list[Pack], folder: Path, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        read(packs, folder, **options)
    return str(caught.value)


def test_missing_and_misshapen_maps_are_all_named(packs: list[Pack], tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    write_all(packs, folder)
    (folder / "test/sub-0.nii.gz").unlink()
    save(folder / "test/sub-1.nii.gz", np.ones((3, 4, 5)), packs[1].affine)
    save(folder / "test/sub-2.nii.gz", np.full(packs[1].shape, np.nan), packs[1].affine)
    text = refusal(packs, folder / "{split}")
    assert "3 of 4 maps cannot be used" in text
    assert f"sub-0 (test): no sub-0.nii.gz or {case_name(packs[1], 0)}.nii.gz" in text
    assert "sub-1 (test)" in text and "shape (5, 4, 3) instead of (12, 14, 8)" in text
    assert "sub-2 (test)" in text and "NaN" in text and "(validation)" not in text


def test_a_map_of_the_right_shape_elsewhere_in_space_is_refused(packs: list[Pack], tmp_path: Path) -> None:
    write_all(packs, tmp_path / "maps")
    flipped = packs[1].affine @ np.diag([-1.0, 1, 1, 1])
    save(tmp_path / "maps/test/sub-1.nii.gz", score(packs[1], 1), flipped)
    assert "affines differ" in refusal(packs, tmp_path / "maps/{split}")


def test_two_files_of_one_subject_are_refused(packs: list[Pack], tmp_path: Path) -> None:
    write_all(packs, tmp_path / "maps")
    save(tmp_path / "maps/test/sub-1.nii", score(packs[1], 1), packs[1].affine)
    assert "both sub-1.nii.gz and sub-1.nii; keep one" in refusal(packs, tmp_path / "maps/{split}")


# A head of 30 x 36 x 32 voxels of 4 mm, stored from left to right the other way round, and its map to the template.
NATIVE = np.array([[-4.0, 0, 0, 60], [0, 4, 0, -72], [0, 0, 4, -60], [0, 0, 0, 1]])
TO_NATIVE = np.array([[1.1, 0.1, 0, 3], [-0.1, 0.9, 0, -6], [0, 0, 1.05, 4], [0, 0, 0, 1]])
GRID = np.array([[5.0, 0, 0, -60], [0, 5, 0, -70], [0, 0, 5, -50], [0, 0, 0, 1]])


def blob(shape: tuple[int, ...], affine: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """A ball of 8 mm around a point of space, on a grid (I, J, K)."""
    points = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    return np.exp(-(((points - centre) / 8.0) ** 2).sum(axis=-1))


@pytest.fixture
def native(tmp_path: Path) -> tuple[Path, Path]:
    """A pack of one head on the template's grid and the table that knows its file; a map of it in its own space in `maps`."""
    shape, head = (24, 28, 20), tmp_path / "head.nii.gz"
    brain = np.ones(shape, dtype=bool).transpose(2, 1, 0)
    sample = Sample("sub-1", "healthy", brain.astype(np.float32), brain, np.zeros_like(brain), {"subject": "sub-1"})
    write_pack(tmp_path / "test.h5", iter([sample]), affine=GRID, modality="T1w", cohort="toy", split="test")
    at = TO_NATIVE[:3, :3] @ [10.0, -15, 5] + TO_NATIVE[:3, 3]
    for path in (head, tmp_path / "maps/sub-1.nii.gz"):
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(blob((30, 36, 32), NATIVE, at).astype(np.float32), NATIVE), path)
    transform = registration.write_transform(tmp_path / "xfm.txt", TO_NATIVE)
    row = {"subject": "sub-1", "session": "", "modality": "T1w", "path": str(head), "frame": "", "transform": str(transform)}
    write_table(tmp_path / "table.tsv", [row], list(row))
    return tmp_path / "test.h5", tmp_path / "table.tsv"


def test_native_maps_are_carried_to_the_template(native: tuple[Path, Path], tmp_path: Path) -> None:
    with Pack(native[0]) as pack:
        carried = read([pack], tmp_path / "maps", space="native", tables=(native[1],))[0].anomaly_map.transpose(2, 1, 0)
    peak = GRID @ [*np.unravel_index(carried.argmax(), carried.shape), 1.0]
    assert np.linalg.norm(peak[:3] - [10, -15, 5]) < 4
    assert carried.max() > 0.7


def test_a_native_map_on_the_grid_of_the_template_is_refused(native: tuple[Path, Path], tmp_path: Path) -> None:
    with Pack(native[0]) as pack:
        save(tmp_path / "maps/sub-1.nii.gz", np.ones(pack.shape), pack.affine)
        assert "write maps on the grid of the image files" in refusal(
            [pack], tmp_path / "maps", space="native", tables=(native[1],)
        )


def test_an_image_without_a_file_has_no_native_space(packs: list[Pack], native: tuple[Path, Path], tmp_path: Path) -> None:
    write_all(packs, tmp_path / "maps")
    text = refusal(packs[:1], tmp_path / "maps/validation", space="native", tables=(native[1],))
    assert "sub-0 is no image of the cohort" in text
