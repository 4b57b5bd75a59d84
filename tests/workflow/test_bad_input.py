"""A BIDS folder full of mistakes: each is named with what to do about it, and the rest of the cohort goes on."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.workflow.conftest import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]

CONFIG = """
cohorts:
  mine: {kind: bids, root: ROOT, group: by_mask, shards: 2, skull_strip: given, split: {train: 0.4, validation: 0.2, test: 0.4}}
train_on: [mine]
test_on: [mine-implanted]
methods: [intensity]
"""


def image(root: Path, subject: str) -> Path:
    return root / subject / "anat" / f"{subject}_FLAIR.nii.gz"


def rewrite(path: Path, change) -> None:
    old = nib.load(path)
    nib.save(change(np.asarray(old.dataobj).astype(np.float32), old.affine), path)


def with_nans(array: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    array[:3] = np.nan
    return nib.Nifti1Image(array, affine)


def with_time(array: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    return nib.Nifti1Image(np.stack([array, array], axis=-1), affine)


def flattened(array: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    singular = nib.Nifti1Image(array, affine)
    singular.header["sform_code"], singular.header["qform_code"] = 1, 0
    singular.header["srow_z"] = 0
    return nib.Nifti1Image(array, None, singular.header)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture
def broken(finished: Project, tmp_path: Path) -> tuple[Project, Path, dict[str, str]]:
    """Two copies of the phantoms as one data set, five of them broken. Returns what must be said of whom."""
    root, source = tmp_path / "bids", finished.folder / "results/cohorts/phantom/bids"
    subjects = sorted(path.name for path in source.glob("sub-*"))
    shutil.copytree(source, root)
    (root / "participants.tsv").unlink()
    rewrite(image(root, subjects[0]), with_nans)
    rewrite(image(root, subjects[1]), with_time)
    cut_short(image(root, subjects[2]))
    rewrite(image(root, subjects[3]), flattened)
    image(root, subjects[4]).unlink()
    folder = tmp_path / "project"
    # the run's results stay behind; the package has a folder of that name too
    shutil.copytree(finished.folder, folder, ignore=shutil.ignore_patterns(".snakemake"))
    shutil.rmtree(folder / "results")
    (folder / "mine.yaml").write_text(CONFIG.replace("ROOT", str(root)))
    expected = dict(zip(subjects, ("NaN", "3D", "truncated", "singular", "FLAIR"), strict=False))
    return Project(folder), root, expected


def reasons(project: Project) -> dict[str, str]:
    found = {}
    results = project.folder / "results"
    for path in [*results.glob("cohorts/mine/excluded.tsv"), *results.glob("preprocessed/mine/*/shards/*.tsv")]:
        for row in csv.DictReader(path.open(), delimiter="\t"):
            if row["reason"]:
                found[row["subject"]] = f"{row['path']}: {row['reason']}"
    return found


def test_each_mistake_is_named_and_the_others_go_on(broken) -> None:
    project, root, expected = broken
    shards = [f"results/preprocessed/mine/standard/shards/{shard}-of-2.tsv" for shard in (0, 1)]
    done = project.run("--cores", "2", *shards, "--configfile", "mine.yaml")
    assert done.returncode == 0, done.stdout[-4000:]
    said = reasons(project)
    for subject, word in expected.items():
        assert word in said[subject] and subject in said[subject], (subject, said)
    kept = [
        row for path in shards for row in csv.DictReader((project.folder / path).open(), delimiter="\t") if row["status"] == "ok"
    ]
    assert {row["subject"] for row in kept} == {p.name for p in root.glob("sub-*")} - set(expected)


def test_a_modality_nobody_has_is_named(broken) -> None:
    project, _, _ = broken
    done = project.run(
        "--cores", "1", "results/cohorts/mine/manifest.tsv", "--configfile", "mine.yaml", config=("modalities=[T2w]",)
    )
    assert done.returncode != 0 and "T2w" in done.stdout and "FLAIR" in done.stdout and "Traceback" not in done.stdout


def test_mended_image_is_taken_in_by_the_next_run(broken) -> None:
    project, root, _ = broken
    manifest = "results/cohorts/mine/manifest.tsv"
    assert project.run("--cores", "1", manifest, "--configfile", "mine.yaml").returncode == 0
    assert project.jobs(manifest, "--configfile", "mine.yaml") == {}
    subjects = sorted(path.name for path in root.glob("sub-*"))
    shutil.copy(image(root, subjects[-1]), image(root, subjects[4]))
    assert project.jobs(manifest, "--configfile", "mine.yaml") == {"cohort": 1}
