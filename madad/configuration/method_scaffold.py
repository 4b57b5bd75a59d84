"""The two files with which a method of one's own begins: they work as they are, and their comments say what to change."""

from __future__ import annotations

from pathlib import Path

from madad.configuration import cards
from madad.core import plugins
from madad.core.errors import UserError
from madad.core.provenance import complete

TEMPLATES = Path(__file__).parent / "templates"
ENDINGS = (".yaml", ".py")


def write(folder: Path, name: str) -> list[Path]:
    """Write card and code of a new method and return their paths.

    Args:
        folder: for the key `method_folders` of a configuration.
        name: of the method.

    Raises:
        UserError: the name cannot be one of a method, or is taken.
    """
    if not plugins.NAME.fullmatch(name):
        raise UserError(f"{name}: cannot name a method; use lower-case letters, digits and _, with a letter first")
    if name in cards.names() or name in cards.own_names() or (plugins.METHODS / f"{name}.py").exists():
        raise UserError(f"{name}: madad has a method or part of this name already; choose another")
    made = [folder / f"{name}{ending}" for ending in ENDINGS]
    if there := [str(path) for path in made if path.exists()]:
        raise UserError(f"{', '.join(there)}: exists already, and is kept; choose another name or folder")
    words = {"NAME": name, "CLASS": "".join(word.capitalize() for word in name.split("_"))}
    for path in made:
        text = (TEMPLATES / f"method{path.suffix}.txt").read_text(encoding="utf-8")
        for placeholder, word in words.items():
            text = text.replace(placeholder, word)
        with complete(path) as partial:
            partial.write_text(text, encoding="utf-8")
    return made
