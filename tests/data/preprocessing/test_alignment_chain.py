"""The sequences of one session together: one brain mask, one way to the template, and no image costs another one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from madad.core.errors import SubjectError
from madad.core.io.manifest import Row
from madad.core.io.volumes import Volume, load_image, load_mask
from madad.data.preprocessing import derivative_names
from madad.data.preprocessing.session import preprocess
from madad.data.preprocessing.skull_stripping import strippers
from madad.data.preprocessing.steps import coregistration, registration
from madad.data.preprocessing.steps.session_images import Head
from tests.data.preprocessing.conftest import QUICK, SyntheticHead, row, written
from tests.data.preprocessing.steps.test_coregistration import inverted, moved

MASKED = {**QUICK, "skull_strip": "given"}
READERS = {"path": load_image, "lesion_mask": load_mask}
SHIFT = ((4, -3, 5), (6, -4, 8))


@pytest.fixture
def known_way(head: SyntheticHead, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the registration to the template by the known pose: it is not tested here."""
    monkeypatch.setattr(registration, "register", lambda *_: head.pose)


@pytest.fixture
def session(head: SyntheticHead, lesion: np.ndarray, tmp_path: Path) -> list[Row]:
    """T1w with a brain mask, FLAIR in another place and cut off at the crown, with a lesion mask."""
    whole = inverted(head)
    top = int(np.flatnonzero(head.brain.any(axis=(0, 1)))[-1]) - 2
    cut = Volume(whole.array[:, :, :top], whole.affine)
    flair, _ = moved(cut, *SHIFT)
    drawn = Volume(lesion[:, :, :top].astype(np.uint8), flair.affine)
    masks = {"brain_mask": str(written(tmp_path / "brain.nii.gz", head.image.with_array(head.brain.astype(np.uint8))))}
    marked = {"lesion_mask": str(written(tmp_path / "lesion.nii.gz", drawn)), "modality": "FLAIR"}
    return [
        row("sub-01", written(tmp_path / "flair.nii.gz", flair), **marked),
        row("sub-01", written(tmp_path / "t1.nii.gz", head.image), **masks),
    ]


def done(rows: list[Row], folder: Path, options: dict = MASKED) -> tuple[dict[str, Row], dict[str, dict[str, Path]]]:
    files = {r["modality"]: derivative_names.derivatives(folder, r) for r in rows}
    for places in files.values():
        places["image"].parent.mkdir(exist_ok=True)
    return {r["modality"]: r for r in preprocess(rows, files, options)}, files


def test_two_sequences_share_mask_and_way(session: list[Row], tmp_path: Path, known_way: None) -> None:
    results, files = done(session, tmp_path)
    assert [results[m]["status"] for m in ("T1w", "FLAIR")] == ["ok", "ok"]
    assert (results["T1w"]["aligned_to"], results["FLAIR"]["aligned_to"]) == ("", "T1w")
    assert float(results["FLAIR"]["alignment_nmi"]) > 1.05
    t1, flair = (load_image(files[m]["image"]).array for m in ("T1w", "FLAIR"))
    both = (t1 > 0) & (flair > 0)
    # Bright became dark, voxel by voxel, only if the two lie on each other.
    assert np.corrcoef(t1[both], flair[both])[0, 1] < -0.8


def test_no_brain_where_an_image_has_no_data(session: list[Row], tmp_path: Path, known_way: None) -> None:
    _, files = done(session, tmp_path)
    t1, flair = (load_mask(files[m]["brain"]).array > 0 for m in ("T1w", "FLAIR"))
    assert not (flair & ~t1).any()
    missing = np.argwhere(t1 & ~flair)
    assert 0 < len(missing) < 0.2 * t1.sum()
    assert missing[:, 2].min() > 0.6 * np.argwhere(t1)[:, 2].max()
    assert (load_image(files["FLAIR"]["image"]).array[~flair] == 0).all()


def test_a_lesion_drawn_on_one_sequence_is_there_in_all(session: list[Row], tmp_path: Path, known_way: None) -> None:
    results, files = done(session, tmp_path)
    t1, flair = (load_mask(files[m]["lesion"]).array for m in ("T1w", "FLAIR"))
    np.testing.assert_array_equal(t1, flair)
    assert results["T1w"]["lesion_from"] == results["FLAIR"]["lesion_from"] == "FLAIR"
    centre = load_mask(files["T1w"]["lesion"]).affine @ [*np.argwhere(t1).mean(axis=0), 1]
    np.testing.assert_allclose(centre[:3], [-26, -20, 25], atol=5)
    assert float(results["T1w"]["lesion_ml"]) == pytest.approx(float(results["T1w"]["lesion_expected_ml"]), rel=0.03)


def test_separate_images_go_their_own_way(session: list[Row], tmp_path: Path, known_way: None) -> None:
    results, files = done(session, tmp_path, {**MASKED, "align": "separate"})
    assert results["T1w"]["status"] == "ok" and "lesion_from" not in results["T1w"]
    assert "flair.nii.gz: skull_strip is given, but the image has no brain mask" in results["FLAIR"]["reason"]
    assert not files["T1w"]["lesion"].exists()


def test_one_mask_named_by_several_sequences_is_one_truth_for_all(session: list[Row], tmp_path: Path, known_way: None) -> None:
    flair, t1 = session
    twin = {**flair, "modality": "T2w", "path": str(written(tmp_path / "t2.nii.gz", load_image(flair["path"])))}
    results, files = done([flair, {**t1, "lesion_mask": flair["lesion_mask"]}, twin], tmp_path)
    assert {results[m]["status"] for m in results} == {"ok"}
    assert results["T1w"]["lesion_from"] == "FLAIR"
    assert load_mask(files["T1w"]["lesion"]).array.any()


def test_without_its_truth_a_sequence_is_not_used(session: list[Row], tmp_path: Path, known_way: None) -> None:
    Path(session[0]["path"]).write_bytes(b"no image")
    results, _ = done(session, tmp_path)
    assert results["T1w"]["status"] == "failed"
    assert "t1.nii.gz: the lesion mask of FLAIR cannot be carried here" in results["T1w"]["reason"]


def test_of_two_truths_none_is_guessed(session: list[Row], tmp_path: Path, known_way: None) -> None:
    flair, t1 = session
    other = {key: str(written(tmp_path / f"other_{key}.nii.gz", read(flair[key]))) for key, read in READERS.items()}
    results, _ = done([flair, t1, {**flair, **other, "modality": "T2w"}], tmp_path)
    assert results["FLAIR"]["status"] == results["T2w"]["status"] == "ok"
    assert "the lesion masks of FLAIR and T2w are not one file" in results["T1w"]["reason"]


def test_an_image_that_lies_elsewhere_is_no_brain(
    session: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: SyntheticHead
) -> None:
    away = np.eye(4)
    away[:3, 3] = 150
    monkeypatch.setattr(registration, "register", lambda *_: away @ head.pose)
    results, _ = done(session[1:], tmp_path)
    assert "shows 0.0% of a brain" in results["T1w"]["reason"]


def test_a_sequence_that_cannot_be_aligned_says_so(
    head: SyntheticHead, session: list[Row], tmp_path: Path, known_way: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("itk::ERROR")

    monkeypatch.setattr(coregistration, "align", fails)
    brain = Volume(head.brain[:, :, : load_image(session[0]["path"]).array.shape[2]].astype(np.uint8), np.eye(4))
    affine = load_image(session[0]["path"]).affine
    session[0]["brain_mask"] = str(written(tmp_path / "own.nii.gz", Volume(brain.array, affine)))
    results, _ = done(session, tmp_path)
    assert results["FLAIR"]["status"] == "ok"
    assert "not aligned to T1w, its brain was found on its own: itk::ERROR" in results["FLAIR"]["warning"]
    # Without its lesions it would be scored as if it showed none.
    assert "lesion mask of FLAIR cannot be carried here" in results["T1w"]["reason"]


def test_a_broken_reference_leaves_its_place_to_the_next(head: SyntheticHead, tmp_path: Path, known_way: None) -> None:
    broken = tmp_path / "t1.nii.gz"
    broken.write_bytes(b"no image")
    flair = row("sub-01", written(tmp_path / "flair.nii.gz", head.stripped), modality="FLAIR")
    results, _ = done([flair, row("sub-01", broken)], tmp_path, QUICK)
    assert results["T1w"]["status"] == "failed" and "t1.nii.gz" in results["T1w"]["reason"]
    assert results["FLAIR"]["status"] == "ok" and results["FLAIR"]["aligned_to"] == ""


def test_an_image_whose_own_brain_is_not_found_gets_that_of_another(
    head: SyntheticHead, tmp_path: Path, known_way: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = strippers.STRIPPERS["none"]

    def blind_to_t1w(one: Head, command: str | None) -> strippers.Found:
        if one.row["modality"] == "T1w":
            raise SubjectError("no brain was found")
        return find(one, command)

    monkeypatch.setitem(strippers.STRIPPERS, "none", blind_to_t1w)
    rows = [row("sub-01", written(tmp_path / f"{m}.nii.gz", head.stripped), modality=m) for m in ("T1w", "T2w")]
    results, _ = done(rows, tmp_path, QUICK)
    assert results["T1w"]["status"] == "ok" and results["T1w"]["aligned_to"] == "T2w"


def test_the_finest_is_the_reference_where_there_is_no_t1w(head: SyntheticHead, tmp_path: Path, known_way: None) -> None:
    thick = Volume(head.stripped.array[:, :, ::2], head.image.affine @ np.diag([1, 1, 2, 1]))
    rows = [
        row("sub-01", written(tmp_path / "flair.nii.gz", thick), modality="FLAIR"),
        row("sub-01", written(tmp_path / "t2.nii.gz", head.stripped), modality="T2w"),
    ]
    results, _ = done(rows, tmp_path, QUICK)
    assert {m: r["aligned_to"] for m, r in results.items()} == {"FLAIR": "T2w", "T2w": ""}
