"""Everything around the brain: fluid, skull, scalp, face and neck, so that skull stripping is a realistic task."""

from __future__ import annotations

import numpy as np

from madad.data.cohorts.phantoms.atlas import Atlas, ellipsoid, head_lattice
from madad.data.cohorts.phantoms.fields import random_field, sample, soft_step
from madad.data.cohorts.phantoms.shape import Frame
from madad.data.cohorts.phantoms.subjects import Recipe

# Materials in the order of the shares returned by `make_surroundings`.
MATERIALS = ("fluid", "bone", "marrow", "fat", "muscle", "air", "vitreous", "cord")
# Masses that make up the rest of the head, as (centre, radii) in mm.
FACE = (((0, 50, -62), (58, 46, 58)), ((0, 88, -52), (14, 20, 22)), ((0, 62, -108), (40, 36, 34)), ((0, 22, -58), (65, 64, 56)))
NECK = ((0, -36, -150), (58, 60, 115))
EYES = (((-32, 66, -34), (12.5, 12.5, 12.5)), ((32, 66, -34), (12.5, 12.5, 12.5)))
ORBITS = (((-31, 58, -34), (19, 26, 17)), ((31, 58, -34), (19, 26, 17)))
AIRWAYS = (
    ((0, 60, -46), (14, 30, 17)),
    ((0, 8, -95), (10, 8, 40)),
    ((-24, 52, -62), (13, 16, 15)),
    ((24, 52, -62), (13, 16, 15)),
)
PETROUS = (((-48, -18, -44), (24, 14, 13)), ((48, -18, -44), (24, 14, 13)))
SPINE = ((0, -42, -150), (17, 17, 98))
CANAL = ((0, -47, -140), (9, 8, 100))
CORD = ((0, -47, -140), (5.5, 4.5, 100))


def make_surroundings(recipe: Recipe, atlas: Atlas, frame: Frame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Generate the materials around the brain.

    Returns:
        shares: one row per material of `MATERIALS`, (8, N); all zero in the air outside the head.
        cavity: share of each voxel inside the skull, (N,).
    """
    at, width = frame.origins, frame.voxel_mm
    texture = [sample(random_field(rng, head_lattice(4.0), scale), at) for scale in (12.0, 12.0, 30.0, 30.0)]
    depth = sample(atlas.surface_mm, at)
    inner = recipe.gap_mm * (1 + 0.25 * texture[2])
    outer = inner + recipe.skull_mm * np.clip(1 + 0.18 * texture[3], 0.5, 1.6)
    skin = outer + recipe.scalp_mm * np.clip(1 + 0.2 * texture[2], 0.5, 1.7)
    body = _joined(depth - skin, _trunk(at) + 2.0 * texture[2], 10.0)
    shares = np.zeros((len(MATERIALS), at.shape[1]), np.float32)
    _soft_tissue(shares, body, texture)
    _organs(shares, at, width, texture)
    _skull(shares, depth, inner, outer, width, texture)
    _spine(shares, at, depth - outer, width)
    shares *= soft_step(body, width)
    return shares, soft_step(depth - inner, width)


def _trunk(at: np.ndarray) -> np.ndarray:
    """Return the signed distance to face and neck."""
    joined = ellipsoid(at, *NECK)
    for shape in FACE:
        joined = _joined(joined, ellipsoid(at, *shape), 12.0)
    return joined


def _joined(one: np.ndarray, other: np.ndarray, width_mm: float) -> np.ndarray:
    """Return the distance to two bodies with the notch between them filled: the polynomial smooth minimum (Quilez 2013)."""
    blend = np.clip(0.5 + (other - one) / (2 * width_mm), 0, 1)
    return other + (one - other) * blend - width_mm * blend * (1 - blend)


def _put(shares: np.ndarray, material: str, share: np.ndarray) -> None:
    """Lay a material over the existing ones."""
    shares *= 1 - share
    shares[MATERIALS.index(material)] += share


def _soft_tissue(shares: np.ndarray, body: np.ndarray, texture: list[np.ndarray]) -> None:
    """Add muscle streaked with fat, bone and air, under a layer of fat and a thin darker skin."""
    shares[MATERIALS.index("muscle")] = 1
    _put(shares, "fat", np.clip((texture[0] - 0.7) * 1.6, 0, 0.9))
    _put(shares, "bone", np.clip((texture[1] - 1.1) * 2.0, 0, 0.9))
    _put(shares, "air", np.clip((-texture[0] - 1.6) * 2.0, 0, 1) * (body < -12))
    _put(shares, "fat", soft_step(-body - 5.5 - 1.5 * texture[3], 3.0))
    _put(shares, "muscle", 0.7 * soft_step(-body - 1.0, 1.5))


def _organs(shares: np.ndarray, at: np.ndarray, width: float, texture: list[np.ndarray]) -> None:
    for orbit in ORBITS:
        _put(shares, "fat", soft_step(ellipsoid(at, *orbit), width))
    for cavity in AIRWAYS:
        _put(shares, "air", soft_step(ellipsoid(at, *cavity) + 3 * texture[1], width))
    for eye in EYES:
        distance = ellipsoid(at, *eye)
        _put(shares, "muscle", soft_step(distance - 1.2, width))
        _put(shares, "vitreous", soft_step(distance, width))
    for bone in PETROUS:
        _put(shares, "bone", soft_step(ellipsoid(at, *bone) + 3 * texture[0], width))


def _skull(
    shares: np.ndarray, depth: np.ndarray, inner: np.ndarray, outer: np.ndarray, width: float, texture: list[np.ndarray]
) -> None:
    """Add two dark layers of bone with fatty marrow between them, thickest where the skull is."""
    _put(shares, "bone", soft_step(depth - outer, width))
    middle = np.abs(depth - (inner + outer) / 2) - (outer - inner) * np.clip(0.17 + 0.08 * texture[3], 0, 0.3)
    _put(shares, "marrow", np.clip(0.55 + 0.3 * texture[0], 0, 1) * soft_step(middle, width))
    _put(shares, "fluid", soft_step(depth - inner, width))


def _spine(shares: np.ndarray, at: np.ndarray, outside: np.ndarray, width: float) -> None:
    """Add vertebrae around a canal of fluid with the cord, below the skull; the canal runs through its base."""
    below = soft_step(-outside, width)
    rings = 0.35 + 0.65 * (np.sin(at[2] * 2 * np.pi / 17) > -0.6)
    _put(shares, "bone", below * soft_step(ellipsoid(at, *SPINE) - 3, width))
    _put(shares, "marrow", below * rings * soft_step(ellipsoid(at, *SPINE), width))
    _put(shares, "fluid", soft_step(ellipsoid(at, *CANAL), width))
    _put(shares, "cord", soft_step(ellipsoid(at, *CORD), width))
