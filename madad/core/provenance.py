"""Provenance of results: hashes of code, data and options, and files that appear only when complete."""

from __future__ import annotations

import ast
import glob
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from madad.core import plugins

PACKAGE = "madad"
ROOT = Path(__file__).resolve().parents[2]


@cache
def fingerprint(*modules: str) -> str:
    """Return a hash of the syntax trees of modules and of all package modules that they import, directly or not.

    The folders `templates` and `assets` beside a module are included. Comments, docstrings and formatting are not; nothing is
    imported, only parsed. As a rule parameter it makes Snakemake rerun only the jobs that a change of code affects.

    Args:
        modules: dotted names such as "madad.methods.ddpm".
    """
    digest = hashlib.sha256()
    for name in sorted(import_closure(modules)):
        digest.update(f"{name}:{_tree_hash(name)}:{_data_hash(module_file(name).parent)}".encode())
    return digest.hexdigest()[:16]


def import_closure(modules: tuple[str, ...]) -> set[str]:
    """Return the names of package modules and of every package module that they import, directly or not."""
    found: set[str] = set()
    pending = list(modules)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(_package_imports(name))
    return found


def module_file(name: str) -> Path:
    """Return the file of a dotted package module, or of a method in a folder of `madad.core.plugins`.

    Raises:
        ModuleNotFoundError: no such module in the package.
    """
    base = ROOT.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py", *plugins.module_files(name)):
        if path.exists():
            return path
    raise ModuleNotFoundError(f"{name}: no such module below {ROOT}")


@cache
def _tree(name: str) -> ast.Module:
    tree = ast.parse(module_file(name).read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[0] = ast.Pass()
    return tree


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _tree_hash(name: str) -> str:
    return hashlib.sha256(ast.dump(_tree(name)).encode()).hexdigest()


@cache
def _data_hash(folder: Path) -> str:
    files = [path for kind in ("templates", "assets") for path in sorted((folder / kind).glob("*"))]
    return content_hash([[path.name, file_hash(path)] for path in files])


@cache
def _package_imports(name: str) -> list[str]:
    """Return the package modules that a module imports. Cached, because many fingerprints share them."""
    found: list[str] = []
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            candidates = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found += [name for name in candidates if name.split(".")[0] == PACKAGE and _exists(name)]
    return found


def _exists(name: str) -> bool:
    try:
        module_file(name)
    except ModuleNotFoundError:
        return False
    return True


def content_hash(value: object) -> str:
    """Return a hash of a value that JSON can hold; equal values have equal hashes whatever the order of their keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, shortened to 16 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


@contextmanager
def complete(path: str | Path) -> Generator[Path]:
    """Yield a temporary path beside `path`; the file is renamed to `path` only if the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(path)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _clear_leftovers(path: Path) -> None:
    """Remove temporary files of processes that were killed. A file has one writer: Snakemake locks its outputs."""
    for leftover in path.parent.glob(f".*-{glob.escape(path.name)}"):
        writer = leftover.name[1:].removesuffix(f"-{path.name}")
        if writer.isdigit() and not _is_alive(int(writer)):
            leftover.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        return True
    return True


def write_json(path: str | Path, value: object) -> None:
    """Write a JSON file, which appears under its name only when complete."""
    with complete(path) as partial:
        partial.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def version() -> str:
    """Return the version of this package; `unknown` for a clone that is not installed."""
    from importlib import metadata  # takes longer than most commands need to start

    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "unknown"


def environment() -> dict[str, str]:
    """Return the versions of Python, of the platform and of packages that can change a result, and the state of git."""
    packages = ("torch", "monai", "antspyx", "nibabel", "numpy", "scipy", "scikit-learn", "snakemake", "opensimplex", PACKAGE)
    from importlib import metadata  # as above

    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    versions["commit"] = _git("rev-parse", "HEAD") or "unknown"
    if versions["commit"] != "unknown":
        versions["uncommitted changes"] = "yes" if _git("status", "--porcelain") else "no"
    return versions


def _git(*arguments: str) -> str:
    if not (ROOT / ".git").exists():  # an installed package, perhaps below a clone of something else
        return ""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
