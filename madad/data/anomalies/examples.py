"""Examples of the generator for the report: one lesion at several times, and pairs under every preset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from madad.core.errors import UserError
from madad.core.intensity_scale import seen
from madad.core.io.hdf5 import Pack
from madad.core.provenance import complete
from madad.core.seeds import numpy_generator, torch_generator
from madad.data.anomalies.appearance import PRESETS, Appearance
from madad.data.anomalies.bank import Bank
from madad.data.anomalies.fluid import evolve
from madad.data.anomalies.generator import RIM, Region, describe_region
from madad.data.anomalies.pairs import Pairs
from madad.data.anomalies.shapes import blob
from madad.data.anomalies.sites import pack_sign
from madad.data.anomalies.velocity import draw_flow

TIMES = (0.0, 0.1, 0.3, 0.6, 0.9, 1.9)
EVOLVED_ML = 12.0
SAMPLES = 4
# Feature size (mm) of the noise inside the lesions; that of the authors' code is white.
TEXTURE_MM = 6.0


def make_examples(pack: Path, banks: Sequence[Path], out: Path, options: dict) -> None:
    """Write the images of the figure as one npz file, so that drawing it needs no torch.

    Args:
        pack: healthy images, on the bank's grid.
        banks: files of a bank.
        out: npz with `evolution` (K, H, W), `times` (K,), `anatomy` (H, W), and for the samples `healthy`, `lesioned` and
            `map` (presets · samples, H, W) and `preset`; the preset `blended` is that of the paper with half of the anatomy
            replaced.
        options: `multiplier`, `diffusivity`, `boundary` and `bank.seed`.

    Raises:
        UserError: the pack has no healthy subject.
    """
    seed = options["bank"]["seed"]
    with Pack(pack) as opened:
        subjects = opened.healthy()[:SAMPLES]
        if not subjects:
            raise UserError(f"{pack}: no healthy subject to show synthetic lesions in")
        images = np.stack([seen(opened.image(index)) for index in subjects])
        brains = np.stack([opened.brain(index) for index in subjects])
        bank = Bank(banks)
        sign, spacing_mm = pack_sign(opened, bank.to_mni), opened.spacing_mm[-1]
    flat = brains.shape[1] == 1
    region = describe_region(brains[0, 0] if flat else brains[0], spacing_mm, options["boundary"])
    shown: dict[str, Any] = _evolution(images[0], region, options, numpy_generator(seed, "evolution"))
    shown |= _samples(images, brains, bank, sign, spacing_mm, seed)
    with complete(out) as partial, open(partial, "wb") as stream:
        np.savez_compressed(stream, spacing_mm=spacing_mm, **shown)


def _evolution(image: np.ndarray, region: Region, options: dict, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Move one blob deep in the brain along one flow for several times.

    Args:
        image: (S, H, W).
        region: of the same shape, or (H, W) for a single slice.
        options: see `make_examples`.
        generator: source of all random numbers.
    """
    depth = ndimage.distance_transform_edt(region.inside)
    candidates = np.argwhere(depth >= 0.5 * depth.max())
    start = blob(region.inside, candidates[generator.integers(len(candidates))], region.voxels(EVOLVED_ML), RIM, generator)
    flow = draw_flow(region.inside.ndim, [generator], multiplier=options["multiplier"], diffusivity=options["diffusivity"])
    # one at a time: a batch of volumes would take as many times the memory
    maps = [evolve(torch.from_numpy(start)[None], flow, torch.tensor([time]), region.depth)[0].numpy() for time in TIMES]
    maps = [one.reshape(image.shape) for one in maps]
    at = int(start.reshape(image.shape).sum(axis=(1, 2)).argmax())
    return {"evolution": np.stack([one[at] for one in maps]), "times": np.array(TIMES), "anatomy": image[at]}


def _samples(
    images: np.ndarray, brains: np.ndarray, bank: Bank, sign: int, spacing_mm: float, seed: int
) -> dict[str, np.ndarray]:
    """Draw pairs under every preset, each at the slice with most of its lesion."""
    columns: dict[str, list] = {"healthy": [], "lesioned": [], "map": [], "preset": []}
    appearances = {preset: Appearance(preset, texture=TEXTURE_MM / spacing_mm) for preset in PRESETS}
    appearances["blended"] = Appearance("una_paper", bias=0.2, blend=0.5)
    for preset, appearance in appearances.items():
        pairs = Pairs(bank, [sign], appearance, healthy=0.0)
        for number in range(SAMPLES):
            image, brain = (torch.from_numpy(stack[number % len(stack)])[None, None] for stack in (images, brains))
            pair = pairs(image, brain, torch_generator(seed, "sample", preset, number))
            at = int(pair["map"][0, 0].sum(dim=(1, 2)).argmax())
            for column, key in (("healthy", "healthy"), ("lesioned", "image"), ("map", "map")):
                columns[column].append(pair[key][0, 0, at].numpy())
            columns["preset"].append(preset)
    return {key: np.array(values) for key, values in columns.items()}
