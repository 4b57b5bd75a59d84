from __future__ import annotations

import numpy as np
import pytest

from madad.data.cohorts.phantoms.fields import exponential, lattice, lattice_points, random_field, sample, soft_step

GRID = lattice((-20.0, -20.0, -20.0), (20.0, 20.0, 20.0), 2.0)


def test_a_lattice_covers_its_box() -> None:
    points = lattice_points(GRID)
    assert points.min() == -20 and points.max() == 20 and points.shape == (3, GRID.array.size)


def test_sampling_at_the_voxels_gives_the_values() -> None:
    field = random_field(np.random.default_rng(0), GRID, 6.0)
    assert np.allclose(sample(field, lattice_points(field)), field.array.ravel(), atol=1e-4)


def test_outside_of_a_field_its_edge_or_the_given_value_counts() -> None:
    field = GRID.with_array(np.ones_like(GRID.array))
    far = np.full((3, 1), 99, np.float32)
    assert (sample(field, far)[0], sample(field, far, outside=0.0)[0]) == (1, 0)


def test_a_random_field_has_unit_variance() -> None:
    field = random_field(np.random.default_rng(0), GRID, 6.0).array
    assert abs(field.mean()) < 1e-4 and field.std() == pytest.approx(1, abs=1e-3)


def test_a_constant_velocity_is_a_translation() -> None:
    velocity = np.full((3, *GRID.array.shape), 3.0, np.float32)
    assert np.allclose(exponential(velocity, GRID), 3.0, atol=1e-4)


def test_the_exponential_does_not_fold() -> None:
    rng = np.random.default_rng(1)
    velocity = 3 * np.stack([random_field(rng, GRID, 12.0).array for _ in range(3)])
    shift = exponential(velocity, GRID)
    jacobian = np.stack([np.stack(np.gradient(part, 2.0), axis=-1) for part in shift], axis=-2) + np.eye(3)
    assert np.linalg.det(jacobian)[2:-2, 2:-2, 2:-2].min() > 0


def test_the_opposite_velocity_leads_back() -> None:
    rng = np.random.default_rng(2)
    velocity = np.stack([random_field(rng, GRID, 20.0).array for _ in range(3)])
    there, back = (exponential(sign * velocity, GRID) for sign in (1, -1))
    points = lattice_points(GRID)
    moved = points + there.reshape(3, -1)
    returned = moved + np.stack([sample(GRID.with_array(part), moved) for part in back])
    inner = (np.abs(points) < 14).all(axis=0)
    assert np.abs(returned - points)[:, inner].max() < 0.2


def test_a_soft_step_is_half_at_the_surface() -> None:
    assert soft_step(np.array([-5.0, 0.0, 5.0]), 2.0).tolist() == [1, 0.5, 0]
