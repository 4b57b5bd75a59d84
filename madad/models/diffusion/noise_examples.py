"""Examples of the laws of noise: one healthy slice with noise of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from madad.core.intensity_scale import seen
from madad.core.io.hdf5 import Pack
from madad.core.provenance import complete
from madad.core.seeds import torch_generator
from madad.models.diffusion.noise import NoiseLaw


def write_noised(train_pack: Path, noise_laws: Mapping[str, Mapping], out: Path) -> None:
    """Write the slice with most brain of a pack's first healthy subject, without noise and with noise of every law.

    Args:
        train_pack: pack of a training cohort.
        noise_laws: the parameters `noise_…` of every method.
        out: an .npz file of (H, W) arrays: "clean", and one per method.
    """
    with Pack(train_pack) as data:
        healthy = data.healthy()
        sample = data.sample(int(healthy[0]) if len(healthy) else 0)
    height = int(sample.brain.sum(axis=(1, 2)).argmax())
    image, brain = (torch.from_numpy(array[height].astype(np.float32)) for array in (seen(sample.image), sample.brain))
    shown = {"clean": image.numpy()}
    for method, law in noise_laws.items():
        noise = _law(law)(image[None, None], torch_generator("noise study"))[0, 0]
        shown[method] = (image + noise * brain).numpy()
    with complete(out) as partial, partial.open("wb") as stream:
        np.savez(stream, **shown)


def _law(parameters: Mapping) -> NoiseLaw:
    return NoiseLaw(
        kind=parameters["noise_kind"],
        shared=False,
        octaves=parameters["noise_octaves"],
        persistence=parameters["noise_persistence"],
        scale=parameters["noise_magnitude"],
        resolution=parameters["noise_resolution"],
    )
