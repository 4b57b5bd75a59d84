"""Puts a copy of the workflow's files into the wheel: they lie beside the package here, and a wheel holds packages alone.

Everything else about the package is in pyproject.toml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# `madad.core.workflow_files` looks for them there.
COPY = "madad/workflow_files"
PARTS = ("Snakefile", "config.yaml", "rules", "presets", "profiles", "schemas", "report", "envs", "examples", "studies")


class BuildWithWorkflow(build_py):
    """The usual build of packages, and the files of the workflow; an editable installation uses those of the clone."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if not self.editable_mode:
            for part in PARTS:
                _copy(ROOT / part, Path(self.build_lib) / COPY / part)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


setup(cmdclass={"build_py": BuildWithWorkflow})
