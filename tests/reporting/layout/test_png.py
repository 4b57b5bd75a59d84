from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from madad.reporting.layout.png import COLOURS, TOLERANCE, write_png


def written(pixels: np.ndarray, folder) -> tuple[Image.Image, int, int]:
    """The file made of pixels, its size and that of the one it is made of."""
    full = io.BytesIO()
    Image.fromarray(pixels).save(full, format="png")
    write_png(full, folder / "p.png", 150)
    return Image.open(folder / "p.png"), (folder / "p.png").stat().st_size, len(full.getvalue())


def ramp(name: str | None, height: int = 60) -> np.ndarray:
    grey = np.tile(np.arange(256, dtype=np.uint8), (height, 1))
    return np.repeat(grey[..., None], 3, axis=2) if name is None else (plt.get_cmap(name)(grey)[..., :3] * 255).astype(np.uint8)


def test_anatomy_beside_a_colour_scale_stays_true(tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 256), dtype=np.uint8)
    pixels = np.concatenate([np.repeat(noise[..., None], 3, axis=2), ramp("inferno")])
    image, small, large = written(pixels, tmp_path)
    seen = np.asarray(image.convert("RGB")).astype(int)
    assert image.mode == "P" and small < large
    assert np.ptp(seen[:300], axis=2).max() == 0  # no tint
    assert np.abs(seen[:300] - pixels[:300]).max() <= 2
    assert np.abs(seen[300:] - pixels[300:]).max() <= TOLERANCE
    assert len(np.unique(seen[300:].reshape(-1, 3), axis=0)) > 100  # no steps in the scale


def test_few_colours_are_kept_exactly(tmp_path) -> None:
    pixels = np.full((50, 50, 3), 255, dtype=np.uint8)
    pixels[10:20], pixels[:, 30:40] = (0, 114, 178), (213, 94, 0)
    image, *_ = written(pixels, tmp_path)
    assert np.array_equal(np.asarray(image.convert("RGB")), pixels)


def test_picture_of_too_many_colours_keeps_them(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    image, *_ = written(pixels, tmp_path)
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2)])
def test_tiny_pictures(tmp_path, shape: tuple[int, int]) -> None:
    image, *_ = written(np.zeros((*shape, 3), dtype=np.uint8), tmp_path)
    assert image.size == shape[::-1]


def test_size_in_print_and_number_of_colours(tmp_path) -> None:
    image, *_ = written(ramp(None), tmp_path)
    assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
    assert len(image.getcolors()) <= COLOURS
