"""Anomaly maps in NIfTI files: found by exact names, checked, and all that is wrong said at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from madad.core.errors import SubjectError, UserError
from madad.core.io.hdf5 import Pack
from madad.core.io.volumes import Volume, grid_difference, read_volume
from madad.core.logs import say

ENDINGS = (".nii.gz", ".nii")
# So many problems are listed; a folder with the wrong names would list every subject.
SHOWN = 20

Find = Callable[[Pack, int], Path]
Read = Callable[[Pack, int, Path], np.ndarray]


def beside(folder: Path, names: tuple[str, ...]) -> Path:
    """Return the NIfTI file in a folder that has one of the names.

    Raises:
        SubjectError: none has, or several have.
    """
    candidates = [folder / f"{name}{ending}" for name in names for ending in ENDINGS]
    found = [path for path in candidates if path.is_file()]
    if not found:
        raise SubjectError(f"no {' or '.join(f'{name}.nii.gz' for name in names)}")
    if len(found) > 1:
        raise SubjectError(f"both {' and '.join(path.name for path in found)}; keep one")
    return found[0]


def collect(packs: list[Pack], where: str, find: Find, read: Read) -> dict[tuple[str, str], Path]:
    """Return the file of every sample by its split and name, after all have been read once.

    A method that leaves out a subject would be compared on other images than the rest, so that nothing is filled in.

    Args:
        packs: opened.
        where: folder or command, for the message.
        find: file of a sample.
        read: map of a sample from its file.

    Raises:
        UserError: a map is missing or cannot be used; the message lists them by name.
    """
    files: dict[tuple[str, str], Path] = {}
    problems: list[str] = []
    for pack in packs:
        for index, name in enumerate(pack.names):
            try:
                path = find(pack, index)
                read(pack, index, path)
                files[pack.split, name] = path
            except SubjectError as error:
                problems.append(f"  - {name} ({pack.split}): {error}")
    if problems:
        more = [f"  - and {len(problems) - SHOWN} others"] if len(problems) > SHOWN else []
        total = sum(len(pack) for pack in packs)
        raise UserError(
            "\n".join([f"{where}: {len(problems)} of {total} maps cannot be used; supply them:", *problems[:SHOWN], *more])
        )
    say(f"{where}: {len(files)} maps")
    return files


def on_grid(pack: Pack, index: int, path: Path) -> np.ndarray:
    """Return a map that lies on the grid of its image, (S, H, W) float32, 0 outside the brain.

    Raises:
        SubjectError: the file cannot be read, lies on another grid, or holds NaN or infinite values in the brain.
    """
    stored = read_volume(path)
    grid = Volume(np.broadcast_to(np.uint8(0), pack.shape[::-1]), pack.affine)
    problem = grid_difference(stored, grid)
    if problem:
        raise SubjectError(f"{path}: not on the grid of the image ({problem}); write maps on the grid of the images")
    return within_brain(pack, index, stored.array.transpose(2, 1, 0), path)


def within_brain(pack: Pack, index: int, array: np.ndarray, path: Path) -> np.ndarray:
    """Return a map as float32 with 0 outside the brain; what it says there counts nowhere.

    Raises:
        SubjectError: NaN or infinite values in the brain, also after the conversion.
    """
    brain = pack.brain(index)
    with np.errstate(over="ignore"):
        values = np.where(brain, array, 0).astype(np.float32)
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise SubjectError(f"{path}: {bad} voxels of the brain are NaN, infinite or too large for float32; write finite numbers")
    return values
