from __future__ import annotations

from pathlib import Path

import ants
import numpy as np
from scipy.spatial.transform import Rotation

from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import ants_images, registration

OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = Rotation.from_euler("xyz", (20, -10, 30), degrees=True).as_matrix() * [1.5, 2.0, 4.0]
OBLIQUE[:3, 3] = (-20, 5, -30)


def test_to_ants_keeps_world_positions() -> None:
    image = ants_images.to_ants(Volume(np.zeros((5, 6, 7)), OBLIQUE))
    point = ants.transform_index_to_physical_point(image, (1, 2, 3))
    np.testing.assert_allclose(point * np.array([-1, -1, 1]), (OBLIQUE @ [1, 2, 3, 1])[:3], atol=1e-4)


def test_affine_matrix_reads_what_write_transform_wrote(tmp_path: Path) -> None:
    path = registration.write_transform(tmp_path / "a.txt", OBLIQUE)
    np.testing.assert_allclose(ants_images.affine_matrix(path), OBLIQUE, atol=1e-9)


def test_affine_matrix_heeds_the_centre(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(
        "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
        "Parameters: 2 0 0 0 2 0 0 0 2 0 0 0\nFixedParameters: 10 0 0\n"
    )
    np.testing.assert_allclose((ants_images.affine_matrix(path) @ [-10, 0, 0, 1])[:3], [-10, 0, 0], atol=1e-9)


def test_scratch_leaves_nothing() -> None:
    with ants_images.scratch() as prefix:
        Path(f"{prefix}x").write_text("x")
    assert not Path(prefix).exists()
