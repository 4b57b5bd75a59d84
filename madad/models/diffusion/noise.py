"""Laws of the noise that corrupts an image: one axis of a diffusion model or a denoising autoencoder.

All follow from a generator on the CPU, by which the device draws in training (`madad.core.draws`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
import torch
from opensimplex import internals
from torch import Tensor
from torch.nn import functional

from madad.core import draws
from madad.models.diffusion import simplex as simplex_on_device
from madad.models.diffusion.simplex import FINEST_WAVELENGTH

CPU = torch.device("cpu")
KINDS = ("simplex", "gaussian", "coarse", "pyramid")
# The largest wavelength of the simplex noise is two thirds of the image: 64 voxels at 96, as published.
WAVELENGTH_SHARE = 2 / 3
# Kascenas et al. draw 16 x 16 numbers for a 128 x 128 image.
COARSE_FACTOR = 8
ROUNDING = 1e-9


@dataclass(frozen=True)
class NoiseLaw:
    """How a method draws its noise, in training and at test; the arguments are those of `draw`.

    Attributes:
        shared: one field for all images of a call, as in the released code of Behrendt et al. 2023 (arXiv 2303.03758), or one
            per image.
    """

    kind: str
    shared: bool
    octaves: int
    persistence: float
    scale: float
    resolution: int | None = None

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Draw noise in the shape and type and on the device of the images (B, C, H, W)."""
        count, channels, height, width = images.shape
        field = draw(
            self.kind,
            (1 if self.shared else count, channels, height, width),
            generator,
            octaves=self.octaves,
            persistence=self.persistence,
            scale=self.scale,
            resolution=self.resolution,
            device=images.device,
        )
        return field.to(images).expand_as(images)


def draw(
    kind: str,
    shape: tuple[int, int, int, int],
    generator: torch.Generator,
    *,
    octaves: int,
    persistence: float,
    scale: float,
    resolution: int | None = None,
    device: torch.device = CPU,
) -> Tensor:
    """Draw noise of a law by name.

    Args:
        kind: one of `KINDS`.
        shape: (B, C, H, W); give B = 1 for one field that all images share.
        generator: CPU generator.
        octaves: most octaves of simplex and pyramid noise.
        persistence: amplitude of an octave relative to the one before it, which is twice as coarse (simplex) or as
            fine (pyramid).
        scale: factor on the field.
        resolution: points along the longer side of the image on which the coarsest component of the noise is drawn: of coarse
            noise its only one, of pyramid and simplex noise that of the lowest frequency. Gaussian noise has none. None for
            each law's own default.
        device: that draws.

    Returns:
        (B, C, H, W) float32 on the device.
    """
    if kind == "simplex":
        field = simplex(shape, generator, octaves=octaves, persistence=persistence, resolution=resolution, device=device)
    elif kind == "gaussian":
        field = draws.normal(shape, generator, device)
    elif kind == "coarse":
        field = coarse(shape, generator, resolution, device)
    elif kind == "pyramid":
        field = pyramid(shape, generator, octaves=octaves, persistence=persistence, resolution=resolution, device=device)
    else:
        raise ValueError(f"noise {kind!r} is not one of {KINDS}")
    return field * scale


def simplex(
    shape: tuple[int, int, int, int],
    generator: torch.Generator,
    *,
    octaves: int = 6,
    persistence: float = 0.8,
    resolution: int | None = None,
    device: torch.device = CPU,
) -> Tensor:
    """Draw fractal OpenSimplex noise: n(x, y) = sum_k persistence^k S(x 2^k / w, y 2^k / w).

    Source: Wyatt et al. 2022 (AnoDDPM, doi:10.1109/CVPRW56347.2022.00080). w is the wavelength from `largest_wavelength`, or the
    side of the image over the resolution; octaves finer than two voxels are left out. Neither zero mean nor unit variance: at
    96 x 96 the standard deviation is about 0.585, and the first pixel is always 0.

    Returns:
        (B, C, H, W) float32, an independent field for every image and channel.
    """
    count, channels, height, width = shape
    wavelength = max(height, width) / resolution if resolution else largest_wavelength(height, width)
    seeds = torch.randint(2**62, (count * channels,), generator=generator).tolist()
    law = (height, width, max(FINEST_WAVELENGTH, wavelength), octaves, persistence)
    if not draws.by_host(device):
        return simplex_on_device.fields(seeds, *law, device).view(shape)
    fields = np.stack([_fractal(seed, *law) for seed in seeds])
    return draws.sent(torch.from_numpy(fields.astype(np.float32)), device).view(shape)


def largest_wavelength(height: int, width: int) -> int:
    """Return two thirds of the longer side, rounded to a power of two: 64 voxels at 96, 32 at 64 and 48, 16 at 32."""
    return max(FINEST_WAVELENGTH, 2 ** round(math.log2(max(height, width) * WAVELENGTH_SHARE)))


def coarse(
    shape: tuple[int, int, int, int], generator: torch.Generator, resolution: int | None = None, device: torch.device = CPU
) -> Tensor:
    """Draw Gaussian numbers on a grid 8 times coarser, or of a given resolution; interpolate bilinearly and roll at random.

    Source: Kascenas et al. 2022 (MIDL; PMLR 172:653), section 3, with unit variance on the coarse grid.
    """
    count, channels, height, width = shape
    factor = max(1.0, max(height, width) / resolution) if resolution else COARSE_FACTOR
    grid = [max(1, int(side / factor + ROUNDING)) for side in (height, width)]
    field = draws.sent(torch.randn((count, channels, *grid), generator=generator), device)
    field = functional.interpolate(field, size=(height, width), mode="bilinear", align_corners=False)
    shifts = torch.randint(max(height, width), (count, 2), generator=generator).tolist()
    return torch.stack([torch.roll(image, shift, dims=(1, 2)) for image, shift in zip(field, shifts, strict=True)])


def pyramid(
    shape: tuple[int, int, int, int],
    generator: torch.Generator,
    *,
    octaves: int = 6,
    persistence: float = 0.8,
    resolution: int | None = None,
    device: torch.device = CPU,
) -> Tensor:
    """Sum Gaussian fields at halved resolutions, the k-th with weight persistence^k, and scale to unit variance.

    Source: the multi-resolution noise of Frotscher et al. 2023 (ANDi, arXiv 2312.01904), where the weight is 0.9^k.
    """
    height, width = shape[2:]
    field = draws.normal(shape, generator, device)
    for k in range(1, octaves):
        size = (height >> k, width >> k)
        if min(size) < 1 or max(size) < (resolution or 1):
            break
        level = draws.normal((*shape[:2], *size), generator, device)
        field = field + persistence**k * functional.interpolate(level, size=(height, width), mode="bilinear", align_corners=False)
    return field / field.std()


def _fractal(seed: int, height: int, width: int, wavelength: float, octaves: int, persistence: float) -> np.ndarray:
    permutation, _ = internals._init(seed)
    x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    field = np.zeros((height, width))
    for k in range(octaves):
        length = wavelength / 2**k
        if length < FINEST_WAVELENGTH:
            break
        field += persistence**k * _octave(x / length, y / length, permutation)
    return field


@numba.njit(cache=True)
def _octave(x: np.ndarray, y: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """Compute `opensimplex.noise2array` on one thread: its thread pool makes torch many times slower on a busy CPU."""
    field = np.empty((y.size, x.size))
    for row in range(y.size):
        for column in range(x.size):
            field[row, column] = internals._noise2(x[column], y[row], permutation)
    return field
