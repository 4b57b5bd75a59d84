"""Measure what is left of a lesion's mask that is carried from a scan to the template and back, as `madad predict` does.

    python -m benchmarks.native_round_trip --root DIR [--heads 20] [--spacing-mm 2] [--volumes-ml 1 5 20]

In each head of a BIDS folder, irregular lesions are drawn on the scan's own grid, inside its brain. The head is registered
and stripped as a scan that is predicted. Printed is the Dice of a mask and what is left of it after the way to the template and
back.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage

from madad import api
from madad.core.io.volumes import Volume, load_image
from madad.core.seeds import numpy_generator
from madad.data import template
from madad.data.anomalies.shapes import blob
from madad.data.preprocessing.steps import lesion_resampling
from madad.detection import native_space
from madad.evaluation.metrics.voxel_metrics import confusion, dice

# A lesion's centre keeps this share of the deepest place's distance from the surface of the brain.
DEPTH = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="a BIDS folder with T1w heads")
    parser.add_argument("--heads", type=int, default=20)
    parser.add_argument("--spacing-mm", type=float, default=2.0, help="of the template's grid")
    parser.add_argument("--volumes-ml", type=float, nargs="+", default=[1.0, 5.0, 20.0])
    arguments = parser.parse_args()
    heads = sorted(arguments.root.glob("sub-*/**/anat/*_T1w.nii.gz"))[: arguments.heads]
    found = []
    for number, head in enumerate(heads):
        found.append(round_trips(head, number, arguments.spacing_mm, arguments.volumes_ml))
        print(head.name, *(f"{one:.3f}" for one in found[-1]), flush=True)
    kept = np.array(found)
    each = ", ".join(f"{volume:g} ml {mean:.3f}" for volume, mean in zip(arguments.volumes_ml, kept.mean(axis=0), strict=True))
    print(f"{len(kept)} heads: Dice {kept.mean():.3f} on average, {kept.min():.3f} at least; {each}")


def round_trips(head: Path, number: int, spacing_mm: float, volumes_ml: list[float]) -> list[float]:
    """Return the Dice of a lesion of every volume in one head."""
    scan = load_image(head)
    made = api.preprocess(head, spacing_mm=spacing_mm)
    grid = template.template_on_grid(spacing_mm).brain
    brain = native_space.carry_brain(grid.with_array(np.asarray(made.brain.dataobj)), made.to_scan, scan).array > 0
    generator = numpy_generator(0, "native round trip", str(number))
    return [_dice(_lesion(brain, volume / scan.voxel_ml, generator), scan, made.to_scan, grid) for volume in volumes_ml]


def _lesion(brain: np.ndarray, voxels: float, generator: np.random.Generator) -> np.ndarray:
    depth = ndimage.distance_transform_edt(brain)
    centre = generator.choice(np.argwhere(depth >= DEPTH * depth.max()))
    return blob(brain, centre, round(voxels), 1.0, generator) >= 0.5


def _dice(mask: np.ndarray, scan: Volume, to_scan: np.ndarray, grid: Volume) -> float:
    there = lesion_resampling.carry(scan.with_array(mask.astype(np.uint8)), to_scan, grid)
    back = native_space.carry_mask(grid.with_array(there), to_scan, scan).array > 0
    return dice(confusion(back, mask))


if __name__ == "__main__":
    main()
