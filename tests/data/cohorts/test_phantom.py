from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.volumes import Volume, grid_difference, load_image, load_mask
from madad.core.provenance import file_hash
from madad.data.cohorts import phantom
from madad.data.cohorts.phantoms.subjects import KINDS, draw, recipes
from tests.data.cohorts.small_cohorts import PHANTOM


def image(root: Path, subject: str, modality: str = "T1w") -> Volume:
    return load_image(root / subject / "anat" / f"{subject}_{modality}.nii.gz")


def brain(root: Path, subject: str) -> Volume:
    return load_mask(root / "derivatives/brainmask" / subject / "anat" / f"{subject}_desc-brain_mask.nii.gz")


def lesion(root: Path, subject: str) -> Volume:
    return load_mask(root / "derivatives/lesions" / subject / "anat" / f"{subject}_label-lesion_mask.nii.gz")


PATIENTS = {"tumour": "sub-P001", "ms": "sub-P002", "stroke": "sub-P003", "wmh": "sub-P004"}


def test_a_subject_is_the_same_in_a_larger_cohort() -> None:
    small, large = recipes(2, 1, seed=0), recipes(5, 6, seed=0)
    assert all(person in large for person in small)


def test_kinds_rotate_and_seeds_differ() -> None:
    assert [person.kind for person in recipes(0, 5, seed=0)] == [*KINDS, KINDS[0]]
    assert draw(0, "sub-H001", "") != draw(1, "sub-H001", "")


def test_ventricles_widen_with_age() -> None:
    people = recipes(200, 0, seed=0)
    assert np.corrcoef([p.age for p in people], [p.ventricles_mm for p in people])[0, 1] > 0.5


def test_all_images_of_a_subject_share_a_grid(phantom_root: Path) -> None:
    first = image(phantom_root, "sub-P001")
    for other in (image(phantom_root, "sub-P001", "FLAIR"), brain(phantom_root, "sub-P001"), lesion(phantom_root, "sub-P001")):
        assert grid_difference(first, other) is None


def test_subjects_differ_in_grid(phantom_root: Path) -> None:
    shapes = {image(phantom_root, subject).array.shape for subject in PATIENTS.values()}
    assert len(shapes) == 4


@pytest.mark.parametrize("subject", ["sub-H001", *PATIENTS.values()])
def test_brains_have_a_plausible_size_and_lie_within_the_view(phantom_root: Path, subject: str) -> None:
    mask = brain(phantom_root, subject)
    assert 0.9 < mask.array.sum() * mask.voxel_ml / 1000 < 2.0
    edges = [mask.array.take(end, axis) for axis in range(3) for end in (0, -1)]
    assert not any(edge.any() for edge in edges)


def test_there_is_a_head_around_the_brain(phantom_root: Path) -> None:
    whole, inside = image(phantom_root, "sub-H001").array, brain(phantom_root, "sub-H001").array > 0
    outside = whole[~inside] > 0.3 * np.median(whole[inside])
    assert outside.sum() > 0.2 * inside.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_lesions_lie_in_the_brain_bright_on_flair(phantom_root: Path, kind: str) -> None:
    subject = PATIENTS[kind]
    mask, inside = lesion(phantom_root, subject).array > 0, brain(phantom_root, subject).array > 0
    flair = image(phantom_root, subject, "FLAIR").array
    assert not (mask & ~inside).any()
    assert np.percentile(flair[mask], 90) > 1.15 * np.median(flair[inside])


@pytest.mark.parametrize("kind", KINDS)
def test_lesions_are_dark_on_t1w(phantom_root: Path, kind: str) -> None:
    subject = PATIENTS[kind]
    mask, inside = lesion(phantom_root, subject).array > 0, brain(phantom_root, subject).array > 0
    t1w = image(phantom_root, subject).array
    # a faint one is still darker than white matter, the brightest half of the brain
    assert np.median(t1w[mask]) < np.percentile(t1w[inside], 85)


def test_the_healthy_have_no_lesion_file(phantom_root: Path) -> None:
    assert not (phantom_root / "derivatives/lesions/sub-H001").exists()


def test_a_complete_subject_is_kept_and_others_are_made_again(phantom_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(phantom_root, tmp_path / "copy"))
    options = PHANTOM | {"patients": 1}
    kept, lost = root / "sub-H001/anat/sub-H001_T1w.nii.gz", root / "sub-P001/anat/sub-P001_T1w.nii.gz"
    before = kept.stat().st_mtime_ns, file_hash(lost)
    (root / "derivatives/recipes/sub-P001/sub-P001_recipe.json").unlink()
    lost.write_bytes(b"half")
    phantom.build(root, options)
    assert (kept.stat().st_mtime_ns, file_hash(lost)) == before


def test_subjects_no_longer_wanted_go(phantom_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(phantom_root, tmp_path / "copy"))
    phantom.build(root, PHANTOM | {"patients": 0})
    assert [path.name for path in sorted(root.glob("sub-*"))] == ["sub-H001"]
    assert len((root / "participants.tsv").read_text().splitlines()) == 2


@pytest.mark.slow
def test_workers_order_and_cohort_size_do_not_matter(phantom_root: Path, tmp_path: Path) -> None:
    phantom.build(tmp_path, PHANTOM | {"healthy": 0, "patients": 2, "modalities": ["FLAIR"]}, workers=2)
    for subject in ("sub-P001", "sub-P002"):
        name = f"{subject}/anat/{subject}_FLAIR.nii.gz"
        assert file_hash(tmp_path / name) == file_hash(phantom_root / name)


def test_what_a_subject_is_made_from_is_written(phantom_root: Path) -> None:
    record = json.loads((phantom_root / "derivatives/recipes/sub-P002/sub-P002_recipe.json").read_text())
    assert record["recipe"]["kind"] == "ms" and record["fingerprint"]


def test_an_unknown_modality_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="PDw"):
        phantom.build(tmp_path, PHANTOM | {"modalities": ["PDw"]})


def test_another_data_set_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "dataset_description.json").write_text('{"Name": "mine"}')
    with pytest.raises(UserError, match="another data set"):
        phantom.build(tmp_path, PHANTOM)
