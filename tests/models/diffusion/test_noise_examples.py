"""One slice under every law of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from madad.core.io.hdf5 import Sample, write_pack
from madad.models.diffusion.noise_examples import write_noised


def test_clean_slice_and_one_a_law(tmp_path: Path) -> None:
    brain = np.zeros((4, 32, 24), dtype=bool)
    brain[1:3, 4:-4, 4:-4] = True
    brain[2, :, 4:-4] = True  # the slice with most brain
    image = (0.5 * brain * np.arange(4)[:, None, None] / 3).astype(np.float32)
    sample = Sample("sub-1", "healthy", image, brain, np.zeros_like(brain))
    write_pack(tmp_path / "train.h5", iter([sample]), affine=np.eye(4), modality="FLAIR", cohort="c", split="train")
    shared = {"noise_octaves": 6, "noise_persistence": 0.8}
    laws = {
        name: {"noise_kind": kind, "noise_resolution": 4, "noise_magnitude": size, **shared}
        for name, kind, size in (("wide", "coarse", 0.2), ("twice", "coarse", 0.4), ("fine", "gaussian", 0.2))
    }
    write_noised(tmp_path / "train.h5", laws, tmp_path / "noised.npz")
    with np.load(tmp_path / "noised.npz") as stored:
        assert set(stored) == {"clean", *laws}
        assert np.array_equal(stored["clean"], image[2])
        noise = {name: stored[name] - stored["clean"] for name in laws}
    assert all((field[~brain[2]] == 0).all() and field[brain[2]].std() > 0.05 for field in noise.values())
    assert np.allclose(noise["twice"], 2 * noise["wide"], atol=1e-6)
