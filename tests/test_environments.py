"""The environments of envs/: their pins are those of constraints.txt, and what a rule imports is in its own."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

from madad.core import provenance
from madad.reporting.deliverables.registry import DELIVERABLES

ROOT = Path(__file__).resolve().parents[1]
PINS = dict(line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)


def _listed(path: Path) -> dict[str, str]:
    packages = next(entry["pip"] for entry in yaml.safe_load(path.read_text())["dependencies"] if isinstance(entry, dict))
    return dict(package.lower().split("==") for package in packages)


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.name)
def test_environment_has_the_versions_of_the_constraints(path: Path) -> None:
    named = _listed(path)
    assert named == {name: PINS[name] for name in named}


def test_every_dependency_is_pinned() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.S | re.M).group(1)
    names = re.findall(r'"([A-Za-z0-9-]+)', block)
    assert names and not [name for name in names if name.lower() not in PINS]


# What a package is called by `import`, where that is not its name.
NAMES = {"ants": "antspyx", "yaml": "pyyaml", "sklearn": "scikit-learn", "skimage": "scikit-image", "PIL": "pillow"}
# Modules that are chosen by a name in the configuration.
CHOSEN = {
    "cohort": "madad/data/cohorts",
    "train": "madad/methods madad/models/components",
    "infer": "madad/methods madad/models/components",
}


def _rules() -> list[tuple[str, str, str]]:
    """Name, environment and body of every rule that has an environment; of a row of the report its module for a body."""
    text = "".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    bodies = re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", text, re.M | re.S)
    written = [(name, found.group(1), body) for name, body in bodies if (found := re.search(r'envs/(\w+)\.yaml"', body))]
    return [*written, *((row.name, row.environment, row.module) for row in DELIVERABLES)]


def _entries(body: str) -> list[ast.AST]:
    """Syntax trees that a rule runs: the function behind its command and the head of that module; a row's own module as well."""
    if provenance._exists(body):
        return [ast.parse(provenance.module_file(body).read_text()), *_entries("{MADAD} deliver")]
    command = re.search(r"{MADAD} ([\w-]+)", body).group(1).replace("-", "_")
    for path in (ROOT / "madad/cli/stages").glob("*.py"):
        tree = ast.parse(path.read_text())
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        if command in {function.name for function in functions}:
            chosen = [file for folder in CHOSEN.get(command, "").split() for file in (ROOT / folder).glob("*.py")]
            heads = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
            own = [function for function in functions if function.name == command or function.name.startswith("_")]
            return [*heads, *own, *(ast.parse(file.read_text()) for file in chosen)]
    raise AssertionError(f"no command {command}")


def _modules(trees: list[ast.AST]) -> list[ast.AST]:
    """Return the trees and those of all modules of the package that they import, anywhere in the code."""
    names = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    # commands import what they need when they are called: the commands of other rules are left out
    ours = {name for name in names if name.split(".")[0] == "madad" and not name.startswith("madad.cli")}
    own = tuple(sorted(name for name in ours if provenance._exists(name)))
    return [*trees, *(ast.parse(provenance.module_file(name).read_text()) for name in provenance.import_closure(own))]


def _needed(trees: list[ast.AST]) -> set[str]:
    """Return the external packages that the trees and their modules import, at the top or in a function."""
    found = set()
    for node in (node for tree in _modules(trees) for node in ast.walk(tree)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
    return {NAMES.get(name, name).lower() for name in found - set(sys.stdlib_module_names) - {"madad"}}


@pytest.mark.parametrize(("rule", "environment", "body"), _rules(), ids=lambda value: value if value.isidentifier() else "")
def test_environment_has_what_the_rule_imports(rule: str, environment: str, body: str) -> None:
    # `madad.core.seeds` imports torch when a torch generator is asked for, which core never does
    needed = _needed(_entries(body)) - ({"torch"} if environment == "core" else set())
    listed = set(_listed(ROOT / f"envs/{environment}.yaml"))
    assert needed <= listed, f"{rule}: envs/{environment}.yaml lacks {sorted(needed - listed)}"
