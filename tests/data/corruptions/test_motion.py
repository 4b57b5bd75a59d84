from __future__ import annotations

import numpy as np
import pytest
from scipy import fft, ndimage

from madad.data.corruptions import motion as module
from madad.data.corruptions.motion import motion


def test_artefact_runs_along_one_in_plane_axis(head) -> None:
    """Ghosts lie beside the head in the phase-encoding direction, which is one or the other."""
    clean = head.image.astype(float)
    ghosts = [motion(clean, head.brain, head.spacing_mm, 5.0, np.random.default_rng(seed)) for seed in range(8)]
    beside = [[float(image[:, :2].mean()), float(image[:, :, :2].mean())] for image in ghosts]
    directions = {max(range(2), key=lambda axis: pair[axis]) for pair in beside}
    assert directions == {0, 1}
    assert all(max(pair) > 0.001 for pair in beside)


def test_moved_volume_follows_mm_not_voxels() -> None:
    """Against an independent way: a blob's centre of mass after a translation and a turn, on a grid with unequal edges."""
    spacing = np.array([2.0, 1.0, 1.5])
    grid = np.indices((31, 61, 41)).transpose(1, 2, 3, 0) * spacing
    centre, place = np.array([15, 30, 20]) * spacing, np.array([33.0, 38.0, 25.5])
    blob = np.exp(-((grid - place) ** 2).sum(-1) / 18)
    brain = np.ones(blob.shape, dtype=bool)
    turn, step = np.array([0.0, 0.0, 20.0]), np.array([2.0, -3.0, 1.0])
    found = module._moved(blob, brain, tuple(spacing), turn, step)
    radians = np.deg2rad(20)
    rotation = np.array([[np.cos(radians), -np.sin(radians), 0], [np.sin(radians), np.cos(radians), 0], [0, 0, 1]])
    expected = centre + rotation @ (place - centre) + step
    np.testing.assert_allclose(np.array(ndimage.center_of_mass(found)) * spacing, expected, atol=0.1)


def test_lines_come_from_moved_volumes(head, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of k-space is that of the volume in one of the positions, the lowest frequencies at rest."""
    seen = []
    real = module._moved
    monkeypatch.setattr(module, "_moved", lambda *given: seen.append(real(*given)) or seen[-1])
    monkeypatch.setattr(module.np, "abs", lambda values: values)
    clean = head.image.astype(float)
    found = motion(clean, head.brain, head.spacing_mm, 4.0, np.random.default_rng(3))
    axis = int(np.random.default_rng(3).integers(1, 3))
    lines = np.moveaxis(fft.fft(found, axis=axis), axis, 0)
    sources = [np.moveaxis(fft.fft(volume, axis=axis), axis, 0) for volume in (clean, *seen)]
    origin = [min(range(len(sources)), key=lambda s, n=n: np.linalg.norm(sources[s][n] - lines[n])) for n in range(len(lines))]
    assert all(np.allclose(lines[n], sources[s][n]) for n, s in enumerate(origin))
    resting = np.abs(fft.fftfreq(len(lines), head.spacing_mm[axis])) < module.REST_PER_MM
    assert resting.sum() >= 3 and not any(np.array(origin)[resting]) and len(set(origin)) > 3
