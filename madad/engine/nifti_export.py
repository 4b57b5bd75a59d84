"""Export of stored maps to NIfTI files in template space, for viewers and other tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from madad.core.intensity_scale import seen
from madad.core.io.hdf5 import Maps, Pack
from madad.core.io.volumes import Volume, save_volume
from madad.core.logs import progress


def export_maps(maps: Path, packs: list[Path], folder: Path) -> None:
    """Write map, reconstruction, image as methods see it, and lesion mask of every subject.

    Files are named `<split>/<name>_desc-{map,reconstruction,image}.nii.gz` and `…_label-lesion_mask.nii.gz`.

    Args:
        maps: predictions of one method on one test set.
        packs: packs that the maps were computed from.
        folder: folder for the files.
    """
    with Maps(maps) as predictions:
        for path in packs:
            with Pack(path) as pack:
                for index in progress(range(len(pack)), f"exporting {pack.split}"):
                    _export(pack, index, predictions, folder / pack.split)


def _export(pack: Pack, index: int, predictions: Maps, folder: Path) -> None:
    name = pack.names[index]
    row = predictions.row(pack.split, name)
    arrays = {
        "desc-map": predictions.anomaly_map(row),
        "desc-reconstruction": predictions.reconstruction(row),
        "desc-image": seen(pack.image(index)),
        "label-lesion_mask": pack.lesion(index).astype(np.uint8),
    }
    for kind, array in arrays.items():
        if array is not None:
            # (S, H, W) back to (I, J, K)
            save_volume(folder / f"{name}_{kind}.nii.gz", Volume(array.transpose(2, 1, 0), pack.affine))
