"""Lesions of the phantom's patients, with exact masks: tumour, multiple sclerosis, stroke, white matter hyperintensities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from madad.core.errors import SubjectError
from madad.data.cohorts.phantoms.atlas import Atlas, ellipsoid, head_lattice
from madad.data.cohorts.phantoms.fields import random_field, sample, soft_step
from madad.data.cohorts.phantoms.shape import Frame
from madad.data.cohorts.phantoms.subjects import Recipe
from madad.data.cohorts.phantoms.tissue import Tissue

# Signal of each part on the scale of `contrast.BRAIN`; T1w dark, T2w and FLAIR bright, fluid-like parts dark on FLAIR.
SIGNAL = {
    "oedema": {"T1w": 0.72, "T2w": 1.10, "FLAIR": 1.25},
    "tumour": {"T1w": 0.58, "T2w": 0.98, "FLAIR": 1.12},
    "necrosis": {"T1w": 0.34, "T2w": 1.35, "FLAIR": 0.50},
    "plaque": {"T1w": 0.62, "T2w": 1.10, "FLAIR": 1.28},
    "gliosis": {"T1w": 0.55, "T2w": 1.15, "FLAIR": 1.22},
    "infarct": {"T1w": 0.62, "T2w": 1.05, "FLAIR": 1.20},
    "cavity": {"T1w": 0.26, "T2w": 1.38, "FLAIR": 0.24},
    "rarefaction": {"T1w": 0.76, "T2w": 0.95, "FLAIR": 1.15},
}
# Parts that hold fluid. The other parts differ in age and severity, and the faintest is hardly brighter than cortex.
FLUID, FAINTEST = ("necrosis", "cavity"), 0.35
# Vascular territories of one hemisphere in template space, as (centre, radii) in mm; x is mirrored for the other.
TERRITORIES = {
    "middle": ((50, -8, 14), (26, 34, 26)),
    "middle, anterior branch": ((48, 20, 16), (20, 20, 24)),
    "middle, posterior branch": ((48, -42, 22), (22, 22, 22)),
    "posterior": ((18, -78, 2), (18, 26, 18)),
    "anterior": ((8, 40, 28), (13, 32, 28)),
    "lenticulostriate": ((25, 2, 8), (9, 17, 12)),
    "posterior inferior cerebellar": ((26, -66, -42), (22, 20, 13)),
}
ATTEMPTS, SMALLEST_VOXELS = 8, 8


@dataclass(frozen=True)
class Lesion:
    """Parts of a lesion, laid over the tissue in order.

    Attributes:
        parts: name in `SIGNAL` and share of each voxel, (N,), of every part.
        texture: variation of signal inside, unit variance, (N,).
    """

    parts: tuple[tuple[str, np.ndarray], ...]
    texture: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """Voxels of which lesions fill more than half, (N,)."""
        rest = np.ones_like(self.texture)
        for _, share in self.parts:
            rest = rest * (1 - share)
        return rest < 0.5


@dataclass(frozen=True)
class Site:
    """Where a lesion grows: the subject's voxels inside the brain.

    Attributes:
        points: head coordinates, (3, n).
        origins: template coordinates, (3, n).
        grey: share of grey matter, (n,).
        white: share of white matter, (n,).
        ventricle_mm: distance to the ventricles, (n,).
        depth_mm: signed distance to the hull of the brain, (n,).
        width: width of a voxel in mm.
    """

    points: np.ndarray
    origins: np.ndarray
    grey: np.ndarray
    white: np.ndarray
    ventricle_mm: np.ndarray
    depth_mm: np.ndarray
    width: float


@dataclass(frozen=True)
class Mass:
    """A tumour: centre in head coordinates (mm), radius of its core and reach of its oedema (mm)."""

    centre: np.ndarray
    radius: float
    oedema: float


def displace_by_tumour(recipe: Recipe, atlas: Atlas, frame: Frame, rng: np.random.Generator) -> tuple[Frame, Mass | None]:
    """Draw the location of a tumour and push the surrounding tissue away; other kinds displace nothing.

    The displacement r' = r (1 - m exp(-r^2 / 2 s^2)) is monotone for m < 1, so tissue neither folds nor vanishes.
    """
    if recipe.kind != "tumour":
        return frame, None
    depth = sample(atlas.surface_mm, frame.origins)
    white = sample(atlas.white, frame.origins, outside=0.0)
    cerebral = (frame.origins[2] > -8) & (np.abs(frame.origins[0]) > 14)
    choices = np.flatnonzero((white > 0.7) & (depth < -14) & cerebral)
    centre = frame.points[:, rng.choice(choices)]
    mass = Mass(centre, float(rng.uniform(8, 19)), float(rng.uniform(6, 15)))
    offset = frame.points - centre[:, None]
    push = rng.uniform(0.25, 0.55) * np.exp(-(offset**2).sum(axis=0) / (2 * (1.3 * mass.radius) ** 2))
    held = np.clip(-depth / 12, 0, 1)  # the skull does not move
    return replace(frame, origins=(frame.origins - offset * push * held).astype(np.float32)), mass


def grow(
    recipe: Recipe, atlas: Atlas, frame: Frame, tissue: Tissue, mass: Mass | None, rng: np.random.Generator
) -> Lesion | None:
    """Grow the patient's lesion, larger in each attempt until it fills a few voxels.

    Raises:
        SubjectError: the grid is too coarse for any lesion.
    """
    if not recipe.kind:
        return None
    inside = np.flatnonzero(tissue.brain > 0.5)
    origins = frame.origins[:, inside]
    near = [sample(field, origins) for field in (atlas.ventricle_mm, atlas.surface_mm)]
    site = Site(frame.points[:, inside], origins, tissue.grey[inside], tissue.white[inside], *near, frame.voxel_mm)
    for attempt in range(ATTEMPTS):
        texture = [sample(random_field(rng, head_lattice(3.0), scale), site.points) for scale in (9.0, 20.0)]
        parts = GROWTH[recipe.kind](site, texture, mass, 1 + 0.25 * attempt, recipe, rng)
        lesion = Lesion(
            tuple((name, _spread(share, inside, tissue)) for name, share in parts), _spread(texture[0], inside, tissue)
        )
        if lesion.mask.sum() >= SMALLEST_VOXELS:
            return lesion
    raise SubjectError(f"{recipe.subject}: no {recipe.kind} lesion fits voxels of {frame.voxel_mm:.1f} mm; lower spacing_mm")


def show(lesion: Lesion | None, modality: str, clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the signal with the lesion, (N,): laid over the tissue as strongly as drawn for this sequence."""
    if lesion is None:
        return clean
    strength = rng.uniform(FAINTEST, 1)
    for name, part in lesion.parts:
        share = part if name in FLUID else strength * part
        level = SIGNAL[name][modality] * rng.uniform(0.93, 1.07) * (1 + 0.06 * lesion.texture)
        clean = clean * (1 - share) + level * share
    return clean.astype(np.float32)


def _spread(values: np.ndarray, inside: np.ndarray, tissue: Tissue) -> np.ndarray:
    flat = np.zeros(tissue.brain.size, np.float32)
    flat[inside] = values
    return flat


Parts = list[tuple[str, np.ndarray]]


def _tumour(site: Site, texture: list, mass: Mass | None, size: float, recipe: Recipe, rng: np.random.Generator) -> Parts:
    """Grow a core, with a necrotic centre if large; oedema runs along white matter and spares cortex and fluid."""
    assert mass is not None
    radius = np.sqrt(((site.points - mass.centre[:, None]) ** 2).sum(axis=0))
    core = radius * (1 + 0.2 * texture[1] + 0.07 * texture[0]) - mass.radius * size
    swollen = radius * (1 + 0.22 * texture[1]) - (mass.radius + mass.oedema) * size + 2 * texture[0]
    parts = [
        ("oedema", soft_step(swollen, 4.0) * np.clip(1.2 * site.white + 0.15 * site.grey, 0, 1)),
        ("tumour", soft_step(core, 1.5 * site.width)),
    ]
    if mass.radius > 11:
        parts.append(("necrosis", soft_step(core + mass.radius * rng.uniform(0.35, 0.6) + 2.5 * texture[0], 1.5 * site.width)))
    return parts


def _ms(site: Site, texture: list, mass: Mass | None, size: float, recipe: Recipe, rng: np.random.Generator) -> Parts:
    """Grow many ovoid plaques in white matter, most at the ventricles and pointing away from them (Dawson's fingers)."""
    weight = site.white**2 * (0.06 + np.exp(-site.ventricle_mm / 5)) * (site.origins[2] > -45)
    share = _spots(site, texture, weight, int(rng.integers(10, 36)), size * np.array([2.6, 0.45]), rng)
    return [("plaque", share * np.clip(1.3 * site.white + 0.5 * site.grey, 0, 1))]


def _wmh(site: Site, texture: list, mass: Mass | None, size: float, recipe: Recipe, rng: np.random.Generator) -> Parts:
    """Grow caps on the horns and bands along the ventricles that merge with age, and spots in deep white matter."""
    y, z = site.origins[1], site.origins[2]
    caps = np.exp(-(((y - 32) / 11) ** 2)) + np.exp(-(((y + 58) / 16) ** 2))
    reach = size * (0.8 + 0.06 * max(recipe.age - 50, 0) + rng.uniform(0, 1.8)) * (1 + 0.9 * caps)
    band = (
        soft_step(site.ventricle_mm + 2.2 * texture[0] - reach, 1.5 * site.width)
        * (z > -4)
        * np.clip((np.abs(site.origins[0]) - 7) / 6, 0, 1)
    )  # spares the corpus callosum
    deep = site.white**2 * np.exp(-(((site.ventricle_mm - 14) / 8) ** 2)) * (z > 5)
    spots = _spots(site, texture, deep, int(rng.integers(6, 24)), size * np.array([1.9, 0.35]), rng)
    return [("rarefaction", np.maximum(band, spots) * np.clip(1.5 * site.white - 0.2, 0, 1))]


def _stroke(site: Site, texture: list, mass: Mass | None, size: float, recipe: Recipe, rng: np.random.Generator) -> Parts:
    """Grow a part of one vascular territory including cortex: swollen when recent, a cavity with a gliotic rim when old."""
    name = str(rng.choice(list(TERRITORIES)))
    centre, radii = (np.array(values, float) for values in TERRITORIES[name])
    side = rng.choice([-1.0, 1.0])
    centre = (centre + rng.normal(0, 4, 3)) * [side, 1, 1]
    distance = ellipsoid(site.origins, tuple(centre), tuple(radii * size * rng.uniform(0.55, 1.1)))
    distance = distance + 0.2 * radii.min() * texture[1] + 1.5 * texture[0]
    distance = np.maximum(distance, -side * site.origins[0])  # an artery serves one hemisphere
    matter = np.clip(1.3 * (site.grey + site.white), 0, 1)
    share = soft_step(distance, 1.5 * site.width) * matter
    if rng.random() < 0.5:
        return [("infarct", share)]
    return [("gliosis", share), ("cavity", soft_step(distance + rng.uniform(2, 5) + 1.5 * texture[0], 1.5 * site.width) * matter)]


def _spots(site: Site, texture: list, weight: np.ndarray, count: int, law: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the share of ovoids of log-normal radius (median in mm, spread) centred by weight, (n,)."""
    share = np.zeros(site.white.size, np.float32)
    chosen = rng.choice(weight.size, count, p=weight / weight.sum())
    for at in chosen:
        radius = float(np.clip(np.exp(np.log(law[0]) + law[1] * rng.standard_normal()), 0.6 * site.width, 9.0))
        offset = site.points - site.points[:, at, None]
        # Medullary veins, along which plaques stretch, leave the ventricles mostly sideways.
        axis = np.array([1.0, 0.3, 0.5]) * np.sign(rng.standard_normal(3)) + 0.2 * rng.standard_normal(3)
        along = (axis / np.linalg.norm(axis)) @ offset
        stretch = rng.uniform(1.0, 2.0)
        squared = (offset**2).sum(axis=0) - along**2 * (1 - 1 / stretch**2)
        share = np.maximum(share, soft_step(np.sqrt(squared) - radius * (1 + 0.15 * texture[0]), site.width))
    return share


GROWTH: dict[str, Callable[..., Parts]] = {"tumour": _tumour, "ms": _ms, "stroke": _stroke, "wmh": _wmh}
