"""Pictures of masks at a named threshold, beside their NIfTI files: what is right, what is false and what is missed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from madad.core.intensity_scale import seen
from madad.core.io.hdf5 import Pack
from madad.core.io.volumes import read_volume
from madad.core.logs import progress
from madad.evaluation.protocol.inputs import TEST
from madad.evaluation.protocol.mask_export import FALSE, MISSED, NAMES, TRUE, UNKNOWN
from madad.reporting.layout import style
from madad.reporting.layout.image_grid import GAP, Sheet, box_of, grey, remark, shape_of, sides, turned

COLOURS = {TRUE: "#009e73", FALSE: "#d55e00", MISSED: "#56b4e9", UNKNOWN: "#f0e442"}
OPACITY = 0.65
SIDE, FOOT = 1.9, 0.3  # inches


def draw_masks(packs: Sequence[Path], folder: Path) -> None:
    """Write `<name>_dseg.png` for every `<name>_dseg.nii.gz` of a folder that is of a test sample.

    Args:
        packs: of the test set.
        folder: of `madad.evaluation.protocol.mask_export.export_masks`.
    """
    for path in packs:
        with Pack(path) as pack:
            names = [] if pack.split != TEST else [name for name in pack.names if (folder / f"{name}_dseg.nii.gz").exists()]
            for name in progress(names, "drawing masks"):
                labels = read_volume(folder / f"{name}_dseg.nii.gz").array.transpose(2, 1, 0).astype(np.uint8)
                index = pack.names.index(name)
                _draw(seen(pack.image(index)), pack.brain(index), labels, folder / f"{name}_dseg.png")


def shown_slices(labels: np.ndarray, brain: np.ndarray) -> list[int]:
    """Return the slices with the most voxels of each label, ascending; that with the most brain where there is none.

    Args:
        labels: (S, H, W) of `madad.evaluation.protocol.mask_export`.
        brain: (S, H, W) bool.
    """
    counts = {label: (labels == label).sum(axis=(1, 2)) for label in NAMES}
    found = {int(count.argmax()) for count in counts.values() if count.any()}
    return sorted(found) or [int(brain.sum(axis=(1, 2)).argmax())]


def coloured(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return slices (H, W) of an image in [0, 1] and its labels as colours, (H, W, 3)."""
    picture = np.repeat(np.clip(image, 0, 1)[..., None], 3, axis=-1)
    for label, colour in COLOURS.items():
        here = labels == label
        picture[here] = (1 - OPACITY) * picture[here] + OPACITY * np.array(to_rgb(colour))
    return picture


def _draw(image: np.ndarray, brain: np.ndarray, labels: np.ndarray, path: Path) -> None:
    chosen, box = shown_slices(labels, brain), box_of([brain])
    height = SIDE * shape_of(box, image.shape[1:])
    sheet = Sheet(max(len(chosen), 2) * (SIDE + GAP), 2 * (height + GAP) + FOOT)
    for place, index in enumerate(chosen):
        left = place * (SIDE + GAP)
        plain, marked = (sheet.axes(left, row * (height + GAP), SIDE, height) for row in (0, 1))
        grey(plain, turned(image, index, box))
        remark(plain, f"slice {index}")
        marked.imshow(coloured(turned(image, index, box), turned(labels, index, box)))
        sides(marked)
    present = [label for label in NAMES if (labels == label).any()]
    entries = [Patch(color=COLOURS[label], label=f"{NAMES[label]} ({np.count_nonzero(labels == label)})") for label in present]
    if entries:
        sheet.figure.legend(handles=entries, loc="lower center", ncols=len(entries), fontsize=7, frameon=False, handlelength=1)
    else:
        sheet.text(0, 2 * (height + GAP), "nothing predicted, no lesion")
    style.save(sheet.figure, path)
