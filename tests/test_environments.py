"""The pins of envs/ are those of constraints.txt, so that conda and pip users run the same versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PINS = dict(line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.name)
def test_environment_has_the_versions_of_the_constraints(path: Path) -> None:
    packages = next(entry["pip"] for entry in yaml.safe_load(path.read_text())["dependencies"] if isinstance(entry, dict))
    named = dict(package.lower().split("==") for package in packages)
    assert named == {name: PINS[name] for name in named}


def test_every_dependency_is_pinned() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.S | re.M).group(1)
    names = re.findall(r'"([A-Za-z0-9-]+)', block)
    assert names and not [name for name in names if name.lower() not in PINS]
