"""A copy of the project in a temporary folder, with Snakemake to run in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SMOKE = ("preset=smoke",)
# More than the preset has: patients, and the test set of the heads themselves.
STUDY = {
    "cohorts": {
        "phantom": {
            "kind": "phantom",
            "healthy": 5,
            "patients": 2,
            "split": {"train": 0.4, "validation": 0.2, "test": 0.4},
            "shards": 2,
        }
    },
    "train_on": ["phantom"],
    "test_on": ["phantom", "phantom-implanted"],
}
# A variant that differs from ddpm at inference alone.
LATE = {"base": "ddpm", "parameters": {"test_timesteps": [750]}}
PARTS = (
    "Snakefile",
    "config.yaml",
    "presets",
    "schemas",
    "rules",
    "profiles",
    "envs",
    "report",
    "madad",
)


@dataclass(frozen=True)
class Project:
    """A working copy.

    Attributes:
        folder: where it lies.
    """

    folder: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", *arguments]

    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "MADAD_DEVICE": "cpu", "PYTHONPATH": ""}

    def run(self, *arguments: str, config: tuple[str, ...] = SMOKE) -> subprocess.CompletedProcess[str]:
        """Run Snakemake to its end; stdout and stderr come together."""
        return subprocess.run(
            [*self.command(*arguments), "--config", *config],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=3600,
            check=False,
        )

    def jobs(self, *arguments: str, config: tuple[str, ...] = SMOKE) -> dict[str, int]:
        """Rules a dry run would execute, with the number of jobs."""
        done = self.run("-n", *arguments, config=config)
        assert done.returncode == 0, done.stdout
        table = re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M)
        return {rule: int(count) for rule, count in table if rule not in ("total", "all")}


def copy_project(folder: Path, **study: Any) -> Project:
    """Copy what a run needs, without results and caches, with other values of some keys in config.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / part)
    project = Project(folder)
    configure(project, **study)
    return project


def configure(project: Project, **keys: Any) -> None:
    """Write other values of some keys into a copy's configuration."""
    path = project.folder / "config.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **keys}))


def choose(project: Project, methods: list[str], **method_options: dict) -> None:
    """Write other methods into a copy's configuration."""
    configure(project, methods=methods, method_options=method_options)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The smoke preset, run to its end once for all tests that look at the outcome.

    `mhd` stands on `cddpm`, which stands on `spark`: neither of the two is compared. `late` shares the training of `ddpm`.
    """
    project = copy_project(tmp_path_factory.mktemp("finished") / "project", **STUDY)
    choose(project, ["intensity", "ddpm", "mhd", "late"], cddpm={"parts": {"pretraining": "spark"}}, late=LATE)
    done = project.run("--cores", "2")
    assert done.returncode == 0, done.stdout[-6000:]
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh copy of a small study in which nothing has been run."""
    return copy_project(tmp_path / "project", **STUDY)


@pytest.fixture
def clone(tmp_path: Path) -> Project:
    """A fresh copy with the configuration that madad comes with."""
    return copy_project(tmp_path / "clone")
