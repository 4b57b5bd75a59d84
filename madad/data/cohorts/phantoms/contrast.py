"""Simulation of the scanner: contrast of each modality, bias field, noise and scale."""

from __future__ import annotations

import numpy as np

from madad.data.cohorts.phantoms.atlas import head_lattice
from madad.data.cohorts.phantoms.fields import random_field, sample
from madad.data.cohorts.phantoms.head import MATERIALS
from madad.data.cohorts.phantoms.shape import Frame
from madad.data.cohorts.phantoms.subjects import Recipe
from madad.data.cohorts.phantoms.tissue import Tissue

# Signal of each tissue relative to white matter on T1w, grey matter on T2w and FLAIR, as in typical 1.5 and 3 T protocols.
BRAIN = {
    "T1w": {"white": 1.0, "grey": 0.68, "fluid": 0.22},
    "T2w": {"white": 0.50, "grey": 0.70, "fluid": 1.45},
    "FLAIR": {"white": 0.68, "grey": 0.88, "fluid": 0.16},
}
HEAD = {
    "T1w": {"fluid": 0.22, "bone": 0.05, "marrow": 0.6, "fat": 1.0, "muscle": 0.5, "air": 0.02, "vitreous": 0.24, "cord": 0.95},
    "T2w": {"fluid": 1.45, "bone": 0.05, "marrow": 0.4, "fat": 0.85, "muscle": 0.3, "air": 0.02, "vitreous": 1.5, "cord": 0.5},
    "FLAIR": {
        "fluid": 0.16,
        "bone": 0.05,
        "marrow": 0.45,
        "fat": 0.85,
        "muscle": 0.42,
        "air": 0.02,
        "vitreous": 0.2,
        "cord": 0.68,
    },
}
MODALITIES = tuple(BRAIN)
# Visibility of the template's own detail.
DETAIL = {"T1w": 0.035, "T2w": -0.03, "FLAIR": -0.02}


def signal(
    modality: str, recipe: Recipe, frame: Frame, tissue: Tissue, head: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Return the signal without bias field, noise and lesions, (N,): a linear mixture of tissues (partial volume)."""
    table = brain_signals(modality, recipe, rng)
    fluid = 1 - tissue.grey - tissue.white
    myelin = 1 + 0.03 * sample(random_field(rng, head_lattice(8.0), 40.0), frame.origins)
    brain = (tissue.grey * table["grey"] + tissue.white * table["white"]) * myelin + fluid * table["fluid"]
    brain += DETAIL[modality] * tissue.detail
    shares, cavity = head
    strength = [HEAD[modality][name] * rng.uniform(0.85, 1.15) for name in MATERIALS]
    strength[MATERIALS.index("fluid")] = table["fluid"]
    grain = 1 + 0.12 * sample(random_field(rng, head_lattice(3.0), 6.0), frame.origins)
    around = grain * (np.array(strength, np.float32) @ shares)
    return (around * (1 - cavity) + np.where(tissue.brain > 0, brain, around) * cavity).astype(np.float32)


def brain_signals(modality: str, recipe: Recipe, rng: np.random.Generator) -> dict[str, float]:
    """Return the subject's signal of white matter, grey matter and fluid."""
    table = dict(BRAIN[modality])
    table["grey"] = table["white"] + (table["grey"] - table["white"]) * recipe.grey_contrast
    table["fluid"] *= float(rng.uniform(0.85, 1.15))
    return table


def acquire(clean: np.ndarray, recipe: Recipe, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Add bias field, Rician noise (Gudbjartsson and Patz 1995, doi:10.1002/mrm.1910340618) and scale; uint16, native grid.

    The noise level is that of voxels of 2 mm and scales with 1 / volume, as the signal does.
    """
    received = clean * bias_field(recipe, frame, rng)
    sigma = recipe.noise * float(np.clip((2.0 / frame.voxel_mm) ** 1.5, 0.4, 2.0))
    noise = sigma * rng.standard_normal((2, received.size), dtype=np.float32)
    magnitude = np.hypot(received + noise[0], noise[1])
    gain = np.exp(rng.uniform(np.log(250), np.log(2500)))
    return np.round(magnitude * gain).clip(0, 65535).astype(np.uint16).reshape(frame.grid.array.shape)


def bias_field(recipe: Recipe, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Draw a multiplicative receive field, (N,): a bright centre (dielectric effect) times a smooth random field of 120 mm."""
    field = sample(random_field(rng, head_lattice(12.0), 120.0), frame.points)
    centre = np.array(rng.normal([0, -15, 5], 12), np.float32)[:, None]
    radius = np.sqrt(((frame.points - centre) ** 2).sum(axis=0)) / 100
    return np.exp(recipe.bias * (field + 1.2 * (0.6 - radius)))
