"""A head with structure at several scales, and its packs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from madad.core.io.hdf5 import Sample, write_pack

SPACING = (2.0, 2.0, 2.0)


@pytest.fixture(scope="session")
def head() -> SimpleNamespace:
    """`image` (S, H, W) in [0, 1], its `brain` and a `lesion`: cortex, white matter, dark ventricles, folds."""
    shape = (28, 48, 40)
    z, y, x = (np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2) / (np.array(shape)[:, None, None, None] * 0.45)
    radius = np.sqrt(z**2 + y**2 + x**2)
    brain = radius < 1
    folds = 0.12 * np.sin(14 * np.arctan2(y, x)) * (radius > 0.7)
    image = np.where(radius > 0.8, 0.5, 0.8) - 0.7 * (np.hypot(y, 2 * x) + np.abs(z) < 0.4) + folds
    texture = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(shape), 1)
    image = np.where(brain, np.clip(image + 0.05 * texture, 0.02, 1), 0).astype(np.float32)
    lesion = (np.abs(z) < 0.15) & (np.hypot(y - 0.3, x + 0.5) < 0.15)
    return SimpleNamespace(image=image, brain=brain, lesion=lesion, spacing_mm=SPACING)


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory, head: SimpleNamespace) -> Path:
    """Three subjects, each healthy and with two lesions, as an implanted test set has them."""
    path = tmp_path_factory.mktemp("corruptions") / "test.h5"
    samples = []
    for subject in ("sub-1", "sub-2", "sub-3"):
        known = {"subject": subject, "age": 50.0}
        samples.append(Sample(subject, "healthy", head.image, head.brain, np.zeros_like(head.brain), known))
        ill = np.where(head.lesion, 0.1, head.image).astype(np.float32)
        samples += [Sample(f"{subject}_lesion-0{n}", "implanted", ill, head.brain, head.lesion, known) for n in (1, 2)]
    affine = np.diag([*SPACING, 1.0])
    write_pack(path, iter(samples), affine=affine, modality="T1w", cohort="toy-implanted", split="test")
    return path
