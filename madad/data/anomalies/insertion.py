"""Implanting a lesion of given volume, contrast, sign and site into a healthy image, with its exact mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from madad.core.intensity_scale import LOWEST, saturated, seen
from madad.data.anomalies import lesion_masks
from madad.data.anomalies.appearance import smooth_noise
from madad.data.anomalies.generator import RANDOM, RIM, Region, describe_region, flow_map
from madad.data.anomalies.lesion_masks import Lesion
from madad.data.anomalies.shapes import blob, exact_share
from madad.data.anomalies.sites import compartment

# Noise inside a lesion: standard deviation as a share of the contrast, and size of its features in mm.
TEXTURE = 0.12
TEXTURE_MM = 10.0
# Part of the anatomy that the lesion replaces instead of shifting.
BLEND = 0.5
# Width of the rim in mm, and at least in voxels.
RIM_MM = 3.0
# Below this share of its peak a map does not show in which direction the lesion would grow.
FAINT = 0.05
# A real mask that fills no voxel of the grid by more than this share is replaced by a random shape.
VANISHED = 0.1
# Halvings of the interval in which the level of a lesion is sought, which leave less than 1e-6 of it.
HALVINGS = 24
# Smallest distance of a lesion's centre from the brain's surface, or half its radius if that is less.
DEPTH_MM = 8.0


@dataclass(frozen=True)
class Recipe:
    """Properties of a lesion to implant.

    Attributes:
        volume_ml: lesion volume.
        contrast: mean change of intensity in the lesion, on the scale of the pack, where the normal range is [0, 1].
        sign: +1 brighter, -1 darker.
        site: name of the region in which its centre is drawn.
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
        lesion: (S, H, W) bool, voxels of which the lesion fills at least half.
        centre: voxel index of its centre of mass, (3,).
        measured_contrast: mean change inside the lesion, signed, on the scale of the pack.
        seen_contrast: the same of what methods see (`madad.core.intensity_scale.seen`).
        saturated: share of the lesion's voxels that lie at an end of what methods see.
        source: name of the real mask that it started from, or "perlin".
        mirrored: whether the mask was reflected.
        time: duration of the flow.
        digest: of the real mask, "" for a random shape.
    """

    image: np.ndarray
    lesion: np.ndarray
    centre: np.ndarray
    measured_contrast: float
    seen_contrast: float
    saturated: float
    source: str
    mirrored: bool
    time: float
    digest: str


def implant(
    image: np.ndarray,
    tissue: np.ndarray,
    region: Region,
    site: np.ndarray,
    recipe: Recipe,
    lesions: Sequence[Lesion],
    options: dict,
    generator: np.random.Generator,
) -> Implant | None:
    """Implant one lesion into a copy of the image. Returns None if the site has no room for a centre.

    Args:
        image: healthy image, (S, H, W), on the scale of a pack.
        tissue: voxels that a lesion may occupy, bool: the brain without its fluid.
        region: the brain, which the flow cannot leave.
        site: weight of every voxel as a centre.
        recipe: volume, contrast, sign and site.
        lesions: real masks to start from, or none.
        options: options of the generator, as for `generator.draw_map`.
        generator: source of shape, location, flow and texture.
    """
    voxels = region.voxels(recipe.volume_ml)
    radius_mm = (3000 * recipe.volume_ml / (4 * np.pi)) ** (1 / 3)
    centre = draw_centre(region, site * tissue, min(DEPTH_MM, radius_mm / 2), generator)
    if centre is None:
        return None
    # neither flow nor lesion crosses falx and tentorium
    part = region.inside & compartment(region.to_world, region.inside.shape, centre)
    region = describe_region(part, region.spacing_mm, "box" if region.depth is None else "brain", region.affine)
    start, used, mirrored = _start(region, centre, recipe.volume_ml, lesions, options, generator)
    time = float(generator.uniform(*options["time"]))
    moved = _extended(flow_map(start, region, options, time, generator))
    share = exact_share(moved, tissue & region.inside, voxels, max(RIM, RIM_MM / region.spacing_mm))
    lesion = share >= 0.5
    if not lesion.any():
        return None
    lesioned = show(image, share, recipe, region.spacing_mm, generator)
    centre = np.array(ndimage.center_of_mass(lesion))
    contrasts = [float((after - before)[lesion].mean()) for before, after in ((image, lesioned), (seen(image), seen(lesioned)))]
    source, digest = (used.name, used.digest) if used else (RANDOM, "")
    return Implant(lesioned, lesion, centre, *contrasts, saturated(lesioned, lesion), source, mirrored, time, digest)


def show(image: np.ndarray, share: np.ndarray, recipe: Recipe, spacing_mm: float, generator: np.random.Generator) -> np.ndarray:
    """Return the image with a lesion whose mean contrast is that of the recipe, float32.

    The lesion replaces half of the anatomy, so that grey and white matter lose contrast inside it, as they do in disease,
    and has a smooth texture of its own. Nothing is cut at the upper end of the normal range; at 0 there is no darker value, and
    the rest of the lesion is made darker for what is cut off there. Only a contrast larger than the tissue's own intensity
    cannot be had: then the lesion is black.
    """
    lesion = share >= 0.5
    wanted = recipe.sign * recipe.contrast
    texture = smooth_noise(image.shape, TEXTURE_MM / spacing_mm, generator).numpy()
    change = wanted * (1 + TEXTURE * texture) + BLEND * (image[lesion].mean() - image)
    change += _level(image[lesion], share[lesion], change[lesion], wanted)
    return np.where(share > 0, np.maximum(image + share * change, LOWEST), image).astype(np.float32)


def _level(image: np.ndarray, share: np.ndarray, change: np.ndarray, wanted: float) -> float:
    """Return what to add to the change of every lesion voxel (V,), so that its mean is as wanted although nothing is below 0."""

    def missing(level: float) -> float:
        return float((np.maximum(image + share * (change + level), LOWEST) - image).mean()) - wanted

    # exact where nothing is cut off; cutting can only make the lesion brighter
    high = (wanted - float((share * change).mean())) / float(share.mean())
    if missing(high) <= 0:
        return high
    low = float((-image / share - change).min())  # everything black
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if missing(middle) > 0 else (middle, high)
    return low


def draw_centre(region: Region, weights: np.ndarray, depth_mm: float, generator: np.random.Generator) -> np.ndarray | None:
    """Draw a voxel at least `depth_mm` below the brain's surface, by weight; None when there is none."""
    depth = ndimage.distance_transform_edt(region.inside) if region.depth is None else region.depth[0].numpy()
    chances = np.where(depth * region.spacing_mm >= depth_mm, weights, 0).ravel().astype(np.float64)
    if chances.sum() <= 0:
        return None
    return np.array(np.unravel_index(generator.choice(chances.size, p=chances / chances.sum()), weights.shape))


def _extended(field: np.ndarray) -> np.ndarray:
    """Return a map that keeps falling with distance where it is almost 0, so that a larger lesion can be cut from it."""
    faint = FAINT * float(field.max())
    away = ndimage.distance_transform_edt(field <= faint) if faint > 0 else np.zeros(field.shape)
    return np.where(field > faint, field, faint * (1 - away)).astype(np.float32)


def _start(
    region: Region, centre: np.ndarray, volume_ml: float, lesions: Sequence[Lesion], options: dict, generator: np.random.Generator
) -> tuple[np.ndarray, Lesion | None, bool]:
    """Draw a starting shape of a given volume around a centre; return it, its mask if it has one, and whether it is reflected."""
    inside, voxels = region.inside, region.voxels(volume_ml)
    if lesions and generator.random() >= options["random_shapes"]:
        piece = lesion_masks.nearest(lesions, volume_ml, generator)
        target = (region.to_world @ np.append(centre[::-1], 1.0))[:3]
        drawn = lesion_masks.draw_pose(generator, target)
        pose = replace(drawn, scale=(volume_ml / piece.volume_ml) ** (1 / 3))
        placed = np.where(inside, lesion_masks.place(piece, pose, inside.shape[::-1], region.to_world).T, 0).astype(np.float32)
        # a thin mask on a coarse grid may vanish between the voxels
        if placed.max() > VANISHED:
            return placed, piece, pose.mirrored
    return blob(inside, centre, voxels, RIM, generator), None, False
