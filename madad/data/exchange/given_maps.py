"""Maps that another framework wrote: read from a folder of NIfTI files named by subject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from madad.core.errors import SubjectError
from madad.core.io.hdf5 import Pack, Prediction
from madad.core.io.manifest import Row, image_name, read_table
from madad.core.io.volumes import Volume, grid_difference, read_volume
from madad.data.exchange.case_names import case_name
from madad.data.exchange.map_files import beside, collect, on_grid, within_brain
from madad.data.preprocessing.steps import ants_images, orientation, registration


def predictions(packs: Sequence[Pack], parameters: dict, tables: Sequence[Path]) -> Iterator[Prediction]:
    """Yield the map of every sample of the packs, in their order.

    Args:
        packs: opened.
        parameters: `folder`, `file` and `space` as in the card.
        tables: tables of `madad.data.preprocessing.quality_control.judge` with the images behind the packs, for native maps.

    Raises:
        UserError: maps are missing or cannot be used; nothing has been yielded then.
    """
    heads = {(image_name(row), row["modality"]): row for table in tables for row in read_table(table)}

    def find(pack: Pack, index: int) -> Path:
        return _file(pack, index, parameters)

    def read(pack: Pack, index: int, path: Path) -> np.ndarray:
        if parameters["space"] == "template":
            return on_grid(pack, index, path)
        return _carried(pack, index, path, heads)

    files = collect(list(packs), parameters["folder"], find, read)
    for pack in packs:
        for index, name in enumerate(pack.names):
            anomaly_map = read(pack, index, files[pack.split, name])
            yield Prediction(name, pack.split, anomaly_map, None, np.nan, np.nan)


def _file(pack: Pack, index: int, parameters: dict) -> Path:
    covariates, name = pack.covariates[index], pack.names[index]
    known = {
        "name": name,
        "case": case_name(pack, index),
        "subject": str(covariates.get("subject") or name),
        "session": str(covariates.get("session") or ""),
        "testset": pack.cohort,
        "modality": pack.modality,
        "split": pack.split,
    }
    folder = Path(parameters["folder"].format(**known))
    if not parameters["file"]:
        return beside(folder, (name, known["case"]))
    path = folder / parameters["file"].format(**known)
    if not path.is_file():
        raise SubjectError(f"no {path}")
    return path


def _carried(pack: Pack, index: int, path: Path, heads: dict[tuple[str, str], Row]) -> np.ndarray:
    """Return a map on the grid of its subject's image file, carried to the grid of the pack."""
    row = heads.get((pack.names[index], pack.modality))
    if row is None:
        raise SubjectError(f"{path}: {pack.names[index]} is no image of the cohort, so that it has no space of its own")
    stored = read_volume(path)
    frame = int(row["frame"]) if row.get("frame") else None
    problem = grid_difference(stored, read_volume(row["path"], frame))
    if problem:
        raise SubjectError(f"{path}: not on the grid of {row['path']} ({problem}); write maps on the grid of the image files")
    if not np.isfinite(stored.array).all():
        raise SubjectError(f"{path}: the map holds NaN or infinite values, which no interpolation survives; write finite numbers")
    native = orientation.to_ras(stored)
    grid = Volume(np.broadcast_to(np.uint8(0), pack.shape[::-1]), pack.affine)
    carried = registration.carry_image(native, ants_images.affine_matrix(row["transform"]), grid)
    return within_brain(pack, index, carried.transpose(2, 1, 0), path)
