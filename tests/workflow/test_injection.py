"""A method is two new files and one line of the configuration, in the repository or outside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from madad.core import provenance
from tests.core.test_plugins import outside
from tests.workflow.conftest import SMOKE, Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]


def files(folder: Path) -> dict[str, str]:
    found = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(folder)): provenance.file_hash(path) for path in found}


def test_inside_two_files_and_one_line(project: Project) -> None:
    """The copy differs from the project in two new files and in nothing else, but the value of `methods`."""
    before = files(project.folder)
    outside(project.folder / "madad" / "methods", "new_toy")
    code = project.folder / "madad" / "methods" / "new_toy.py"
    layers = code.with_name("new_toy_layers.py")
    code.write_text(layers.read_text() + code.read_text().replace("from madad.methods.new_toy_layers import layers\n", ""))
    layers.unlink()
    after = files(project.folder)
    changed = {path for path in after if before.get(path) != after[path]}
    assert changed == {"madad/methods/new_toy.py", "madad/methods/new_toy.yaml"}
    jobs = project.jobs(config=(*SMOKE, "methods=[intensity,new_toy]"))
    assert jobs["train"] == 2 and jobs["infer"] == jobs["evaluate"] == 2 * 2


def test_outside_the_repository_from_training_to_scores(finished: Project, tmp_path: Path) -> None:
    project = Project(shutil.copytree(finished.folder, tmp_path / "project"))
    outside(tmp_path / "mine", "injected_toy")
    config = tmp_path / "mine.yaml"
    config.write_text(
        yaml.safe_dump({"method_folders": ["../mine"], "methods": ["injected_toy"], "test_on": ["phantom-implanted"]})
    )
    target = "results/runs/phantom/FLAIR/injected_toy/seed0/eval/phantom-implanted/metrics.tsv"
    done = project.run("--cores", "2", target, "--configfile", str(config))
    assert done.returncode == 0, done.stdout[-4000:]
    text = (project.folder / target).read_text()
    assert "\tinjected_toy\t" in text and "\tauprc\t" in text
    assert files(project.folder / "madad") == files(finished.folder / "madad")
    again = project.run("-n", target, "--configfile", str(config))
    assert "Nothing to be done" in again.stdout
    layers = tmp_path / "mine" / "injected_toy_layers.py"
    layers.write_text(layers.read_text().replace("nn.LeakyReLU()", "nn.SiLU()"))
    assert project.jobs(target, "--configfile", str(config))["train"] == 1


def test_a_folder_without_methods_is_told_at_once(project: Project, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    done = project.run("-n", config=(*SMOKE, "method_folders=[../mine]"))
    assert done.returncode != 0 and "holds no method" in done.stdout and "Traceback" not in done.stdout
