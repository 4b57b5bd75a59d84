from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from madad.core.io.volumes import Volume
from madad.data.preprocessing import quality_picture
from madad.data.template import template_on_grid
from tests.data.preprocessing.conftest import SyntheticHead


def test_picture_is_small_and_not_black(head: SyntheticHead, tmp_path: Path) -> None:
    template = template_on_grid(4.0)
    path = tmp_path / "a.png"
    quality_picture.draw(path, head.image, head.brain, head.pose, template.t1w, template.brain.array, template)
    assert path.stat().st_size < 150_000
    width, height = (round(quality_picture.TILE_INCHES * quality_picture.DPI * tiles) for tiles in (len(quality_picture.CUTS), 2))
    assert Image.open(path).size == (width, height), "whatever another module tells matplotlib"
    assert np.asarray(Image.open(path).convert("RGB")).mean() > 10


def test_empty_mask_is_no_reason_to_fail(head: SyntheticHead, tmp_path: Path) -> None:
    template = template_on_grid(4.0)
    nothing = np.zeros_like(head.brain)
    quality_picture.draw(tmp_path / "a.png", head.image, nothing, head.pose, template.t1w, template.brain.array * 0, template)
    assert (tmp_path / "a.png").is_file()


def yellow(path: Path) -> np.ndarray:
    """Where a picture has the lesion's colour, or that over dark tissue."""
    red, green, blue = np.asarray(Image.open(path).convert("RGB")).astype(int).transpose(2, 0, 1)
    return (red - blue > 60) & (green - blue > 60) & (abs(red - green) < 40)


def test_a_small_lesion_is_outlined_above_and_below(head: SyntheticHead, tmp_path: Path) -> None:
    template = template_on_grid(4.0)
    ball = sum((index - centre) ** 2 for index, centre in zip(np.indices(template.brain.array.shape), (15, 30, 22), strict=True))
    lesion = (ball <= 4).astype(np.uint8)
    drawn = Volume(lesion, head.pose @ template.brain.affine)
    shared = (head.image, head.brain, head.pose, template.t1w, template.brain.array, template)
    quality_picture.draw(tmp_path / "without.png", *shared)
    quality_picture.draw(tmp_path / "with.png", *shared, drawn, lesion)
    assert not yellow(tmp_path / "without.png").any()
    found = yellow(tmp_path / "with.png")
    rows, columns = (np.array_split(found, parts, axis) for parts, axis in ((2, 0), (len(quality_picture.CUTS), 1)))
    assert all(part.any() for part in rows)
    assert columns[quality_picture.LESION_CUT].any(), "the third cut goes where most of the lesion is"


def test_greys_and_outlines_keep_their_colours(head: SyntheticHead, tmp_path: Path) -> None:
    template = template_on_grid(4.0)
    quality_picture.draw(tmp_path / "a.png", head.image, head.brain, head.pose, template.t1w, template.brain.array, template)
    colours = {tuple(pixel) for pixel in np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).reshape(-1, 3)}
    assert len([colour for colour in colours if len(set(colour)) == 1]) > 20
    assert ImageColor.getrgb(quality_picture.BRAIN_COLOUR) in colours
