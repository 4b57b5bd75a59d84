"""A small healthy cohort made of the template itself, and options of the generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from madad.core.io.hdf5 import Sample, write_pack
from madad.data.template import template_on_grid

SPACING_MM = 6.0
GENERATOR = {
    "lesion_masks": None,
    "test_masks": 0.3,
    "mask_seed": 0,
    "random_shapes": 0.5,
    "volume_ml": [1.0, 30.0],
    "components": 2,
    "time": [0.1, 0.9],
    "multiplier": 500.0,
    "diffusivity": 0.0,
    "boundary": "brain",
    "bank": {"size": 4, "seed": 0},
    "grid": {"spacing_mm": SPACING_MM},
}
LEVELS = {"T1w": (0.5, 0.8, 0.1), "FLAIR": (0.7, 0.55, 0.1), "T2w": (0.5, 0.4, 0.9)}


@pytest.fixture
def options() -> dict:
    return {key: value for key, value in GENERATOR.items()}


@pytest.fixture(scope="session")
def anatomy() -> dict[str, np.ndarray]:
    """Template maps (S, H, W) and its affine."""
    template = template_on_grid(SPACING_MM)
    maps = {name: getattr(template, name).array.transpose(2, 1, 0) for name in ("grey", "white", "brain")}
    return {**maps, "affine": template.brain.affine}


@pytest.fixture(scope="session")
def packs(tmp_path_factory: pytest.TempPathFactory, anatomy: dict[str, np.ndarray]) -> dict[str, Path]:
    """One pack a modality: two healthy subjects and a patient."""
    folder = tmp_path_factory.mktemp("packs")
    brain = anatomy["brain"] > 0
    found = {}
    for modality, (grey, white, fluid) in LEVELS.items():
        rest = np.clip(1 - anatomy["grey"] - anatomy["white"], 0, 1)
        pure = anatomy["grey"] * grey + anatomy["white"] * white + rest * fluid
        noise = np.random.default_rng(0).normal(0, 0.02, (3, *brain.shape))
        images = [np.where(brain, np.clip(pure + n, 0, 1), 0).astype(np.float32) for n in noise]
        samples = [
            Sample(f"sub-{i}", "patient" if i == 2 else "healthy", image, brain, np.zeros_like(brain), {"subject": f"sub-{i}"})
            for i, image in enumerate(images)
        ]
        found[modality] = folder / f"{modality}.h5"
        write_pack(found[modality], iter(samples), affine=anatomy["affine"], modality=modality, cohort="toy", split="test")
    return found
