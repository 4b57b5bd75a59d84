"""Putting a lesion of a given volume, contrast, sign and site into a healthy image, with its exact truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import ndimage

from madad.data.anomalies import lesion_masks
from madad.data.anomalies.appearance import encode, smooth_noise
from madad.data.anomalies.generator import RIM, Ground, flow_map, ground
from madad.data.anomalies.lesion_masks import Lesion
from madad.data.anomalies.shapes import blob, exact_share
from madad.data.anomalies.sites import compartment

# Noise inside a lesion: standard deviation as a share of the contrast, and size of its features in mm.
TEXTURE = 0.12
TEXTURE_MM = 10.0
# Part of the anatomy that the lesion replaces instead of shifting; the rest shines through.
BLEND = 0.5
# Width of the rim in mm, and at least in voxels.
RIM_MM = 3.0
# Below this share of its peak a map no longer says where the lesion would grow.
FAINT = 0.05
# A real mask that holds less than this share of any voxel of the grid is replaced by a random shape.
VANISHED = 0.1
# A lesion's centre keeps this far from the brain's surface, or half its radius if that is less.
DEPTH_MM = 8.0


@dataclass(frozen=True)
class Recipe:
    """What to implant.

    Attributes:
        volume_ml: lesion volume.
        contrast: mean change of intensity in the lesion, in units of the normalised range [0, 1].
        sign: +1 brighter, -1 darker.
        site: name of the region its centre begins in.
    """

    volume_ml: float
    contrast: float
    sign: int
    site: str


@dataclass(frozen=True)
class Implant:
    """A lesioned image.

    Attributes:
        image: (S, H, W) float32; equal to the healthy image wherever the lesion has no share.
        lesion: (S, H, W) bool, voxels of which the lesion has at least half.
        centre: voxel index of its centre of mass, (3,).
        measured_contrast: mean change inside the lesion after clipping to [0, 1].
        source: name of the real mask it began as, or "perlin".
        mirrored: whether the mask was reflected.
        time: how long the fluid moved.
    """

    image: np.ndarray
    lesion: np.ndarray
    centre: np.ndarray
    measured_contrast: float
    source: str
    mirrored: bool
    time: float


def implant(
    image: np.ndarray,
    tissue: np.ndarray,
    where: Ground,
    site: np.ndarray,
    recipe: Recipe,
    lesions: Sequence[Lesion],
    options: dict,
    generator: np.random.Generator,
) -> Implant | None:
    """Implant one lesion; the given image is not changed. Returns None where the site has no room for a centre.

    Args:
        image: healthy image, (S, H, W) in [0, 1].
        tissue: voxels a lesion may take, bool: the brain without its fluid.
        where: the brain that the fluid cannot leave.
        site: weight of every voxel as a centre.
        recipe: volume, contrast, sign and site.
        lesions: real masks to begin with, or none.
        options: of the generator, as `randomizer.draw_map`.
        generator: source of shape, place, flow and texture.
    """
    voxels = where.voxels(recipe.volume_ml)
    radius_mm = (3000 * recipe.volume_ml / (4 * np.pi)) ** (1 / 3)
    centre = draw_centre(where, site * tissue, min(DEPTH_MM, radius_mm / 2), generator)
    if centre is None:
        return None
    # neither fluid nor lesion crosses falx and tentorium
    part = where.inside & compartment(where.to_world, where.inside.shape, centre)
    where = ground(part, where.spacing_mm, "box" if where.depth is None else "brain", where.affine)
    start, source, mirrored = _start(where, centre, recipe.volume_ml, lesions, options, generator)
    time = float(generator.uniform(*options["time"]))
    moved = _extended(flow_map(start, where, options, time, generator))
    share = exact_share(moved, tissue & where.inside, voxels, max(RIM, RIM_MM / where.spacing_mm))
    lesion = share >= 0.5
    if not lesion.any():
        return None
    lesioned = show(image, share, recipe, where.spacing_mm, generator)
    measured = float((lesioned - image)[lesion].mean())
    return Implant(lesioned, lesion, np.array(ndimage.center_of_mass(lesion)), measured, source, mirrored, time)


def show(image: np.ndarray, share: np.ndarray, recipe: Recipe, spacing_mm: float, generator: np.random.Generator) -> np.ndarray:
    """Healthy image with a lesion of the recipe's contrast: exactly its mean before clipping. Returns float32.

    The lesion replaces half of the anatomy, so that grey and white matter lose contrast inside it, as they do in disease,
    and has a smooth texture of its own.
    """
    lesion = share >= 0.5
    wanted = recipe.sign * recipe.contrast
    texture = smooth_noise(image.shape, TEXTURE_MM / spacing_mm, generator).numpy()
    change = wanted * (1 + TEXTURE * texture) + BLEND * (image[lesion].mean() - image)
    change += (wanted - (share * change)[lesion].mean()) / share[lesion].mean()
    tensors = [torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32))[None] for a in (image, share, change)]
    return encode(*tensors)[0].numpy()


def draw_centre(where: Ground, weights: np.ndarray, depth_mm: float, generator: np.random.Generator) -> np.ndarray | None:
    """A voxel at least `depth_mm` below the brain's surface, drawn by weight, or None when there is none."""
    depth = ndimage.distance_transform_edt(where.inside) if where.depth is None else where.depth[0].numpy()
    chances = np.where(depth * where.spacing_mm >= depth_mm, weights, 0).ravel().astype(np.float64)
    if chances.sum() <= 0:
        return None
    return np.array(np.unravel_index(generator.choice(chances.size, p=chances / chances.sum()), weights.shape))


def _extended(field: np.ndarray) -> np.ndarray:
    """A map that goes on falling with distance where it has vanished, so that a larger lesion can be cut from it."""
    faint = FAINT * float(field.max())
    away = ndimage.distance_transform_edt(field <= faint) if faint > 0 else np.zeros(field.shape)
    return np.where(field > faint, field, faint * (1 - away)).astype(np.float32)


def _start(
    where: Ground, centre: np.ndarray, volume_ml: float, lesions: Sequence[Lesion], options: dict, generator: np.random.Generator
) -> tuple[np.ndarray, str, bool]:
    """A starting shape of a given volume around a centre, its name, and whether it is reflected."""
    inside, voxels = where.inside, where.voxels(volume_ml)
    if lesions and generator.random() >= options["random_shapes"]:
        piece = lesion_masks.nearest(lesions, volume_ml, generator)
        target = (where.to_world @ np.append(centre[::-1], 1.0))[:3]
        drawn = lesion_masks.draw_pose(generator, target)
        pose = replace(drawn, scale=(volume_ml / piece.volume_ml) ** (1 / 3))
        placed = np.where(inside, lesion_masks.place(piece, pose, inside.shape[::-1], where.to_world).T, 0).astype(np.float32)
        # a thin mask on a coarse grid may vanish between the voxels
        if placed.max() > VANISHED:
            return placed, piece.name, pose.mirrored
    return blob(inside, centre, voxels, RIM, generator), "perlin", False
