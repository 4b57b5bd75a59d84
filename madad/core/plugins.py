"""Methods from outside the repository: folders that the configuration names under `method_folders`.

Such a folder is like `madad/methods`: every card `<name>.yaml` with its code `<name>.py` beside it is a method, imported as
`madad.methods.<name>`; the folder may hold further modules that its methods share. Code in it is run, so only folders that the
user has named are searched. One environment variable passes the folders to every job.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path

from madad.core.errors import UserError

VARIABLE = "MADAD_METHOD_FOLDERS"
PACKAGE = "madad.methods"
METHODS = Path(__file__).parents[1] / "methods"
NAME = re.compile(r"[a-z][a-z0-9_]*")


def use(folders: Iterable[str], taken: Collection[str]) -> None:
    """Use these folders and no others in this process and in those that it starts.

    Args:
        folders: absolute, or relative to the working directory.
        taken: names of methods and parts that are in use.

    Raises:
        UserError: no such folder, no method in it, or a name that is taken.
    """
    seen: dict[str, Path] = {}
    paths = list(dict.fromkeys(Path(folder).resolve() for folder in folders))
    for path in paths:
        if not path.is_dir() or os.pathsep in str(path):
            raise UserError(f"method_folders: {path} is not a usable folder; correct the path (without '{os.pathsep}')")
        own = _cards((path,))
        if not own:
            raise UserError(
                f"method_folders: {path} holds no method; put a card <name>.yaml beside its code <name>.py there, with a "
                "name of lower-case letters, digits and _"
            )
        # all modules share one package: of two with the same name, a method would import the wrong one
        modules = sorted({module.stem for module in path.glob("*.py")} - {"__init__"})
        for name in modules:
            if name in taken or name in seen or (METHODS / f"{name}.py").exists():
                where = seen.get(name, "this project")
                raise UserError(f"method_folders: {path} has a module {name!r}, as does {where}; give it another name")
        seen |= dict.fromkeys(modules, path)
    os.environ[VARIABLE] = os.pathsep.join(str(path) for path in paths)


def folders() -> tuple[Path, ...]:
    """Return the absolute paths of the folders in use.

    Raises:
        UserError: the variable names a folder that does not exist.
    """
    found = tuple(Path(entry).resolve() for entry in os.environ.get(VARIABLE, "").split(os.pathsep) if entry)
    for path in found:
        if not path.is_dir():
            raise UserError(f"{VARIABLE}: {path} is not a folder; correct the path, which begins at the working directory")
    return found


def cards() -> dict[str, Path]:
    """Return the card of every method outside the repository."""
    return _cards(folders())


def module_files(name: str) -> list[Path]:
    """Return the files that a dotted module may have outside the repository."""
    parent, _, leaf = name.rpartition(".")
    return [folder / f"{leaf}.py" for folder in folders()] if parent == PACKAGE else []


@lru_cache
def _cards(folders: tuple[Path, ...]) -> dict[str, Path]:
    pairs = [card for folder in folders for card in sorted(folder.glob("*.yaml")) if card.with_suffix(".py").exists()]
    return {card.stem: card for card in pairs if NAME.fullmatch(card.stem)}
