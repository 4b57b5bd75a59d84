from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import SubjectError, UserError
from madad.core.io.volumes import Volume
from madad.data.anomalies.lesion_masks import Lesion, Pose, draw_pose, main_piece, nearest, place, read_folder, read_lesion

GRID = (20, 24, 22)
AFFINE = np.array([[2.0, 0, 0, -20], [0, 2, 0, -22], [0, 0, 2, -18], [0, 0, 0, 1]])


def array() -> np.ndarray:
    mask = np.zeros(GRID, dtype=np.uint8)
    mask[4:8, 9:15, 10:13] = 1
    return mask


def save(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


@pytest.fixture
def lesion(tmp_path: Path) -> Lesion:
    return read_lesion(save(tmp_path / "one.nii.gz", array()))


def test_lesion_is_cropped_and_knows_its_place(lesion: Lesion) -> None:
    assert lesion.name == "one" and lesion.mask.array.shape == (4, 6, 3) and lesion.volume_ml == pytest.approx(72 * 0.008)
    assert lesion.centre_mm == pytest.approx([-20 + 2 * 5.5, -22 + 2 * 11.5, -18 + 2 * 11])


def test_own_grid_gives_the_mask_back(lesion: Lesion) -> None:
    assert np.allclose(place(lesion, Pose(), GRID, AFFINE), array(), atol=1e-5)


@pytest.mark.parametrize("axes", ["LAS", "PIR", "SLP"])
def test_other_orientation_is_resampled_by_its_affine(tmp_path: Path, axes: str) -> None:
    image = nib.Nifti1Image(array(), AFFINE)
    turn = nib.orientations.ornt_transform(nib.io_orientation(AFFINE), nib.orientations.axcodes2ornt(axes))
    nib.save(image.as_reoriented(turn), tmp_path / "turned.nii")
    assert np.allclose(place(read_lesion(tmp_path / "turned.nii"), Pose(), GRID, AFFINE), array(), atol=1e-5)


def test_finer_and_shifted_grid_is_resampled_by_its_affine(tmp_path: Path) -> None:
    fine = np.kron(array(), np.ones((2, 2, 2), dtype=np.uint8))[2:]
    affine = np.diag([1.0, 1, 1, 1])
    affine[:3, 3] = AFFINE[:3, 3] - 0.5 + [2, 0, 0]
    placed = place(read_lesion(save(tmp_path / "fine.nii.gz", fine, affine)), Pose(), GRID, AFFINE)
    assert ((placed >= 0.5) == array()).all() and placed.sum() == pytest.approx(72, rel=0.05)


def test_mirror_reflects_across_the_middle(lesion: Lesion) -> None:
    placed = place(lesion, Pose(mirrored=True), GRID, AFFINE)
    assert np.argwhere(placed > 0.5).mean(axis=0)[0] == pytest.approx(14.5)


def test_centre_and_scale(lesion: Lesion) -> None:
    placed = place(
        lesion, Pose(scale=2.0, centre_mm=np.array([0.0, 0, 0])), (30, 30, 30), np.diag([1.0, 1, 1, 1]) - 15 * np.eye(4, k=3)
    )
    other = np.diag([2.0, 2, 2, 1])
    other[:3, 3] = -20
    placed = place(lesion, Pose(scale=2.0, centre_mm=np.zeros(3)), (21, 21, 21), other)
    assert placed.sum() * 0.008 == pytest.approx(8 * lesion.volume_ml, rel=0.05)
    assert np.average(np.argwhere(placed > 0), axis=0, weights=placed[placed > 0]) == pytest.approx([10, 10, 10], abs=0.1)


def test_drawn_pose_is_a_rotation_and_repeats() -> None:
    pose, again = (draw_pose(np.random.default_rng(3)) for _ in range(2))
    assert np.allclose(pose.rotation @ pose.rotation.T, np.eye(3)) and np.linalg.det(pose.rotation) == pytest.approx(1)
    assert np.array_equal(pose.rotation, again.rotation) and pose.scale == again.scale > 0


BAD = {
    "empty": (0 * array(), "value 0 everywhere"),
    "full": (0 * array() + 1, "value 1 everywhere"),
    "labels": (array() + 3 * np.roll(array(), 8, axis=0), "not binary (values 0, 1, 3)"),
    "probabilities": (array() * np.linspace(0, 1, 22, dtype=np.float32), "not binary"),
    "holes": (np.where(array(), np.nan, 0).astype(np.float32), "NaN"),
    "negative": (-array().astype(np.int16), "not binary"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_mask_is_refused_by_name(tmp_path: Path, name: str) -> None:
    values, says = BAD[name]
    path = save(tmp_path / f"{name}.nii.gz", values)
    with pytest.raises(SubjectError) as refusal:
        read_lesion(path)
    assert says in str(refusal.value) and str(path) in str(refusal.value)


def test_other_positive_value_is_binary(tmp_path: Path) -> None:
    assert read_lesion(save(tmp_path / "a.nii", array() * 255)).mask.array.max() == 1


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "cut.nii.gz", np.random.default_rng(0).integers(0, 2, GRID, dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(SubjectError, match=r"cut\.nii\.gz"):
        read_lesion(path)


def test_folder_leaves_bad_masks_out_and_names_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep").mkdir()
    save(tmp_path / "good.nii.gz", array())
    save(tmp_path / "deep" / "empty.nii", 0 * array())
    assert [lesion.name for lesion in read_folder(tmp_path)] == ["good"]
    assert "empty.nii" in capsys.readouterr().err


def test_folder_without_a_usable_mask(tmp_path: Path) -> None:
    save(tmp_path / "good.nii.gz", array())
    with pytest.raises(UserError, match="none between 100 and 200 ml"):
        read_folder(tmp_path, (100, 200))
    with pytest.raises(UserError, match="no such folder"):
        read_folder(tmp_path / "nowhere")


def test_main_piece_and_nearest() -> None:
    mask = np.zeros((9, 9, 9), dtype=np.uint8)
    mask[0, 0, 0], mask[4:8, 4:8, 4:8] = 1, 1
    whole = Lesion("both", Volume(mask, np.diag([10.0, 10, 10, 1])), np.zeros(3))
    piece = main_piece(whole)
    assert piece.volume_ml == pytest.approx(64) and piece.name == "both" and piece.centre_mm == pytest.approx([55, 55, 55])
    assert nearest([whole, piece], 64, np.random.default_rng(0), among=1) is piece


def test_real_masks_can_all_be_read(real_data: Path) -> None:
    for kind in ("ms", "stroke"):
        paths = sorted((real_data / "lesion-masks" / kind).glob("*.nii.gz"))[:5]
        assert paths
        for path in paths:
            lesion = read_lesion(path)
            placed = place(
                lesion,
                Pose(),
                (96, 96, 88),
                np.diag([2.0, 2, 2, 1]) + 2 * np.array([[0, 0, 0, -48], [0, 0, 0, -58], [0, 0, 0, -36], [0] * 4]),
            )
            assert placed.sum() * 0.008 == pytest.approx(lesion.volume_ml, rel=0.1)
