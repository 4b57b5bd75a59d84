from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from madad.core import provenance
from madad.core.provenance import complete, content_hash, fingerprint, import_closure


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a package of three modules: a imports b, c imports nothing."""
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    folder = tmp_path / "madad"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "a.py").write_text('"""A."""\nfrom madad import b\nX = b.Y\n')
    (folder / "b.py").write_text("import json\nY = 1\n")
    (folder / "c.py").write_text("Z = 1\n")
    forget()
    yield folder
    forget()


def forget() -> None:
    for cached in (fingerprint, provenance._tree, provenance._tree_hash, provenance._package_imports, provenance._data_hash):
        cached.cache_clear()


def after(path: Path, text: str) -> str:
    path.write_text(text)
    forget()
    return fingerprint("madad.a")


def test_closure_follows_imports(package: Path) -> None:
    assert import_closure(("madad.a",)) == {"madad.a", "madad", "madad.b"}


def test_comment_docstring_and_layout_do_not_count(package: Path) -> None:
    before = fingerprint("madad.a")
    assert after(package / "a.py", '"""Other words."""\n# why\nfrom madad import b\n\nX = (b.Y)\n') == before


def test_edit_of_an_imported_module_counts(package: Path) -> None:
    before = fingerprint("madad.a")
    assert after(package / "b.py", "import json\nY = 2\n") != before


def test_edit_of_another_module_does_not_count(package: Path) -> None:
    before = fingerprint("madad.a")
    assert after(package / "c.py", "Z = 2\n") == before


def test_template_beside_an_imported_module_counts(package: Path) -> None:
    before = fingerprint("madad.a")
    (package / "templates").mkdir()
    assert after(package / "templates" / "page.html", "<p>") != before


def test_unknown_module_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="no such module"):
        fingerprint("madad.nothing")


def test_content_hash_ignores_the_order_of_keys() -> None:
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1}) != content_hash({"a": 1, "b": 3})


def test_file_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "f.txt"
    with pytest.raises(RuntimeError), complete(target) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert list(target.parent.iterdir()) == []
    with complete(target) as partial:
        partial.write_text("whole")
    assert target.read_text() == "whole"


def test_leftovers_of_the_killed_are_removed_and_those_of_the_living_kept(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    living = os.getppid()
    names = {f".{gone.pid}-a[1].txt", f".{living}-a[1].txt", f".{gone.pid}-b.txt", ".hidden-a[1].txt"}
    for name in names:
        (tmp_path / name).touch()
    with complete(tmp_path / "a[1].txt") as partial:
        partial.touch()
    assert {path.name for path in tmp_path.iterdir()} == {*names, "a[1].txt"} - {f".{gone.pid}-a[1].txt"}
