"""Intensities of a lesion from its map: I = clip(I0 + P · ΔI, 0, 1); the healthy image I0 is never modified.

Sources of the presets: Liu et al. 2025, arXiv:2501.13370, its text (`una_paper`) and released code (`una_code`);
Lawry Aguila et al. 2025, arXiv:2506.10233, released code (`conddiff_code`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from madad.data.anomalies.perlin import draw_lattice, noise

PRESETS = ("una_code", "conddiff_code", "una_paper")
# A voxel belongs to the lesion if the map exceeds this share of its peak.
THRESHOLD = 0.2
# Lattice cells of the slow variation of a lesion's contrast, along the longest side of the image.
BIAS_CELLS = 4


@dataclass(frozen=True)
class Appearance:
    """How lesions change the intensities of an image.

    Attributes:
        preset: one of `PRESETS`.
        flip: probability of the opposite sign (0.2 in the paper's text; the code never flips).
        texture: correlation length in voxels of the noise inside a lesion; 0 is white noise, as in the code.
        bias: strength of a slow variation of the contrast across the image, 0 for none.
        blend: 0 adds the change to the anatomy; 1 replaces the anatomy by the lesion.
    """

    preset: str = "una_code"
    flip: float = 0.0
    texture: float = 0.0
    bias: float = 0.0
    blend: float = 0.0


def lesion_mask(maps: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """Return the voxels above a share of each map's own peak, (B, *grid) bool; none for an empty map."""
    peak = maps.flatten(1).amax(1).view(-1, *[1] * (maps.ndim - 1))
    return maps > threshold * peak


def draw_change(
    image: Tensor,
    maps: Tensor,
    sign: Tensor,
    appearance: Appearance,
    generators: list[np.random.Generator],
    white: Tensor | None = None,
) -> Tensor:
    """Draw ΔI of a preset for every voxel, (B, *grid): a mean shift and noise, different in the soft rim and in the core.

    Args:
        image: healthy images, (B, *grid).
        maps: lesion maps, 0 outside the brain, (B, *grid).
        sign: expected sign of each image's modality, (B,).
        appearance: preset and options.
        generators: one per image.
        white: mean intensity of white matter, (B,), for `una_paper`; if None, the mean under the lesion.

    Returns:
        ΔI, 0 for images whose map is empty.
    """
    core = lesion_mask(maps)
    mean = (image * core).flatten(1).sum(1) / core.flatten(1).sum(1).clamp_min(1)
    reference = mean if white is None else white
    changes = []
    for index, generator in enumerate(generators):
        level = float(reference[index] if appearance.preset == "una_paper" else mean[index])
        direction = -1.0 if appearance.preset == "conddiff_code" else float(sign[index])
        direction *= -1.0 if generator.random() < appearance.flip else 1.0
        shift, spread = _tables(appearance.preset, generator)
        shift, spread = (torch.tensor(table, device=image.device) * level for table in (direction * shift, spread))
        index_of = core[index].long()
        field = _field(tuple(image.shape[1:]), appearance, generator, image.device)
        change = shift[index_of] * _bias(tuple(image.shape[1:]), appearance, generator, image.device) + spread[index_of] * field
        changes.append(change + appearance.blend * (mean[index] - image[index]))
    return torch.stack(changes) * core.flatten(1).any(1).view(-1, *[1] * (image.ndim - 1))


def encode(image: Tensor, maps: Tensor, change: Tensor) -> Tensor:
    """Return clip(I0 + P · ΔI, 0, 1) where P > 0 and exactly I0 elsewhere, as a new tensor."""
    return torch.where(maps > 0, (image + maps * change).clamp(0, 1), image)


def smooth_noise(grid: tuple[int, ...], cell: float, generator: np.random.Generator) -> Tensor:
    """Draw Perlin noise of standard deviation 1 whose features are about `cell` voxels wide, (*grid)."""
    cells = max(1, round(max(grid) / cell))
    lattice = draw_lattice(1, len(grid), generator, cells)[None]
    # shifted by a random part of a cell, so that the nodes, where the noise is 0, have no fixed position
    points = [
        (torch.arange(n, dtype=torch.float32) + float(generator.random()) * cell)[None] * (cells / (max(grid) + cell))
        for n in grid
    ]
    values = noise(lattice, points)[0, 0]
    return values / values.std().clamp_min(1e-6)


def _tables(preset: str, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw mean shift and noise level of rim and core, (2,) each, in units of the reference intensity."""
    spread = generator.random(2, dtype=np.float32) / 4
    if preset == "una_code":
        return 1 + generator.random(2, dtype=np.float32), spread
    if preset == "conddiff_code":
        return 0.75 + 0.25 * generator.random(2, dtype=np.float32), spread
    if preset == "una_paper":
        return np.full(2, 0.5 + 0.5 * generator.standard_normal(), dtype=np.float32), np.zeros(2, dtype=np.float32)
    raise ValueError(f"no preset is called '{preset}'; known: {', '.join(PRESETS)}")


def _field(grid: tuple[int, ...], appearance: Appearance, generator: np.random.Generator, device: torch.device) -> Tensor:
    if appearance.texture > 0:
        return smooth_noise(grid, appearance.texture, generator).to(device)
    return torch.from_numpy(generator.standard_normal(grid, dtype=np.float32)).to(device)


def _bias(grid: tuple[int, ...], appearance: Appearance, generator: np.random.Generator, device: torch.device) -> Tensor:
    """Draw exp(bias · slow noise), interpolated from a coarse lattice and about 1 on average."""
    if appearance.bias <= 0:
        return torch.ones((), device=device)
    return torch.exp(appearance.bias * smooth_noise(grid, max(grid) / BIAS_CELLS, generator)).to(device)
