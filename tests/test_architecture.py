"""Budgets that keep the code readable: sizes, nesting, empty packages, a short Snakefile."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "madad").rglob("*.py"))
RULES = sorted((ROOT / "rules").glob("*.smk"))
CALLS = (ast.Call, ast.Name, ast.Attribute, ast.Constant, ast.Load)
BLOCKS = (ast.For, ast.While, ast.If, ast.Try)


def named(paths: list[Path]) -> list:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def body_length(function: ast.FunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def depth(node: ast.AST, level: int = 0) -> int:
    def inner(child: ast.AST) -> int:
        # `elif` is parsed as an `if` in `else`, yet reads as the same level
        chained = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        return level + (isinstance(child, BLOCKS) and not chained)

    return max([level, *(depth(child, inner(child)) for child in ast.iter_child_nodes(node))])


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("path", named(MODULES))
def test_module_is_small(path: Path) -> None:
    assert len(lines(path)) <= 300
    assert all(body_length(function) <= 40 for function in functions(path))
    assert all(depth(function) <= 3 for function in functions(path)), "nested deeper than three levels"


# Snakemake takes what a plugin is from its package itself.
PLUGIN = "snakemake_logger_plugin_madad"


@pytest.mark.parametrize("path", named([path for path in MODULES if path.name == "__init__.py" and path.parent.name != PLUGIN]))
def test_package_file_is_empty(path: Path) -> None:
    assert path.read_text() == ""


@pytest.mark.parametrize("path", named([path for path in MODULES if path.name != "__init__.py"]))
def test_public_things_are_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")]
    assert not [node.name for node in public if not ast.get_docstring(node)]


def test_snakefile_is_a_table_of_contents() -> None:
    assert len(lines(ROOT / "Snakefile")) <= 40


def code(path: Path) -> str:
    """The text of a rule file without comments and with every string empty."""
    text = re.sub(r'"""[\s\S]*?"""|"[^"\n]*"|\'[^\'\n]*\'', '""', path.read_text())
    return re.sub(r"#.*", "", text)


@pytest.mark.parametrize("path", named(RULES))
def test_rule_files_are_short(path: Path) -> None:
    assert len(lines(path)) <= 250


@pytest.mark.parametrize("path", named([ROOT / "Snakefile", *RULES]))
def test_rule_files_hold_no_logic(path: Path) -> None:
    text = code(path).replace("for row in DELIVERABLES:", "")  # the loop that makes the rules of the report
    logic = r"^\s*with\b|\b(?:def|class|if|elif|else|while|for|and|or|not|in|return|yield|assert)\b"
    assert re.findall(logic, text, re.M) == [], "write a function in madad/workflow, where it is typed and tested"
    assert ("import" in text) <= (path.stem in ("Snakefile", "common")), "names of all rules come from rules/common.smk"


@pytest.mark.parametrize("path", named([path for path in RULES if "lambda" in code(path)]))
def test_functions_of_rules_are_single_calls(path: Path) -> None:
    bodies = re.findall(r"lambda [^:]*: (.*?),?$", code(path), re.M)
    assert len(bodies) == code(path).count("lambda")
    for body in bodies:
        call = ast.parse(body, mode="eval").body
        assert isinstance(call, ast.Call), body
        assert all(isinstance(node, CALLS) for node in ast.walk(call)), f"{body}: move it into madad/workflow"


def test_logic_in_a_rule_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "some.smk"
    for text in ("def name(wildcards):\n    pass", "    input:\n        [x for x in RUNS],", "    threads: 2 if FAST else 1"):
        path.write_text(text)
        with pytest.raises(AssertionError):
            test_rule_files_hold_no_logic(path)
    path.write_text('rule a:\n    """If and for."""\n    threads: lambda wildcards: a.b(PLAN, wildcards.c) + 1\n')
    test_rule_files_hold_no_logic(path)
    with pytest.raises(AssertionError):
        test_functions_of_rules_are_single_calls(path)


@pytest.mark.parametrize("path", named([path for path in MODULES if path.parent.name != PLUGIN]))
def test_package_does_not_know_the_workflow(path: Path) -> None:
    assert not re.search(r"^\s*(import|from)\s+snakemake|\bsnakemake\.(input|output|params|wildcards)", path.read_text(), re.M)
