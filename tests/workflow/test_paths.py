"""Folders with spaces, quotes, dollars and letters of other alphabets; and nothing is written beside `results/`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py
import pytest

from madad.core.io.manifest import read_table
from madad.core.provenance import file_hash
from tests.workflow.conftest import Project, copy_project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]

ODD_NAME = "mein Ordner ü 脳 $HOME 'x' (1)"
CONFIG = """
cohorts:
  mine: {kind: bids, root: "ROOT", group: healthy, shards: 1, skull_strip: given, split: {train: 0.4, validation: 0.2, test: 0.4}}
train_on: [mine]
test_on: [mine-implanted]
methods: [intensity]
"""
PACK = "results/packs/mine/FLAIR/train.h5"
QUALITY_FIGURE = "results/figures/quality_numbers.png"


@dataclass(frozen=True)
class Elsewhere(Project):
    """A project whose home and temporary folders are empty and watched."""

    @property
    def home(self) -> Path:
        """In place of the user's."""
        return self.folder.parent / "home"

    @property
    def temporary(self) -> Path:
        """In place of the system's."""
        return self.folder.parent / "tmp"

    def environment(self) -> dict[str, str]:
        """That of the tests, but with these folders, and Python's byte code kept out of sight."""
        kept = {name: value for name, value in super().environment().items() if not name.startswith("XDG_")}
        kept.pop("MPLCONFIGDIR", None)
        return {**kept, "HOME": str(self.home), "TMPDIR": str(self.temporary), "PYTHONDONTWRITEBYTECODE": "1"}


def snapshot(folder: Path, leave_out: tuple[str, ...] = ()) -> dict[str, str]:
    """Hashes of the files below a folder by their names, and the folders themselves."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] not in leave_out and "__pycache__" not in name.parts:
            found[str(name)] = file_hash(path) if path.is_file() else "folder"
    return found


def elsewhere(source: Path, place: Path) -> tuple[Elsewhere, Path]:
    """A project and a data set of three subjects in folders with odd names."""
    project = Elsewhere(copy_project(place / ODD_NAME / "project").folder)
    project.home.mkdir()
    project.temporary.mkdir()
    root = place / f"Daten {{1}} {ODD_NAME}"
    for subject in sorted(source.glob("sub-*"))[:3]:
        shutil.copytree(subject, root / subject.name)
        for masks in source.glob(f"derivatives/*/{subject.name}"):
            shutil.copytree(masks, root / masks.relative_to(source))
    (project.folder / "mine.yaml").write_text(CONFIG.replace("ROOT", str(root)))
    return project, root


def check_odd_folders(source: Path, place: Path) -> None:
    """Run the data stage and a figure, and compare what lies in the folders before and after."""
    project, root = elsewhere(source, place)
    kept = {path.name for path in project.folder.iterdir()}
    before = snapshot(root), snapshot(project.folder)
    done = project.run("--cores", "1", PACK, "results/cohorts/mine/manifest.tsv", QUALITY_FIGURE, "--configfile", "mine.yaml")
    assert done.returncode == 0, done.stdout[-4000:]
    rows = read_table(project.folder / "results/cohorts/mine/manifest.tsv")
    assert len(rows) == 3 and all(row["path"].startswith(str(root)) and Path(row["path"]).is_file() for row in rows)
    with h5py.File(project.folder / PACK) as pack:
        assert len(pack["image"]) > 0
    assert snapshot(root) == before[0]
    assert snapshot(project.folder, ("results", ".snakemake")) == before[1]
    assert {path.name for path in project.folder.iterdir()} == {*kept, "results", ".snakemake"}
    assert list(project.temporary.iterdir()) == []
    # Snakemake keeps the sources it has read in the user's cache
    assert {name for name in snapshot(project.home) if not name.startswith(".cache/snakemake")} <= {".cache"}


def test_odd_folders_work_and_nothing_is_written_beside_results(finished: Project, tmp_path: Path) -> None:
    check_odd_folders(finished.folder / "results/cohorts/phantom/bids", tmp_path)


def test_brace_or_colon_in_the_folder_is_named(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "a{b}" / "project")
    done = project.run("-n")
    assert done.returncode != 0 and "a{b}" in done.stdout and "move it" in done.stdout and "IndexError" not in done.stdout
