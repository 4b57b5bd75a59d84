from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from madad.reporting.layout import style
from tests.reporting import seen

NAMES = [f"method-{index:02d}" for index in range(48)]


def test_methods_are_told_apart_by_marker_and_by_line() -> None:
    colour, marker, dash = style.colours(NAMES), style.markers(NAMES), style.dashes(NAMES)
    assert len({(colour[name], marker[name]) for name in NAMES}) == len(NAMES)
    assert len({(colour[name], dash[name]) for name in NAMES}) == len(NAMES)


def test_a_dozen_methods_have_a_dozen_colours() -> None:
    assert len(set(style.colours(NAMES[:12]).values())) == 12


def test_a_method_keeps_its_looks_whatever_the_order() -> None:
    assert style.colours(NAMES) == style.colours(NAMES[::-1])
    assert style.markers(NAMES) == style.markers(NAMES[::-1])


def test_floors_are_grey_and_take_no_colour_of_others() -> None:
    looks = style.colours(["ddpm", "intensity", "intensity_raw", "vae3d"])
    assert [looks["intensity"], looks["intensity_raw"]] == list(style.FLOOR_COLOURS[:2])
    assert {name: looks[name] for name in ("ddpm", "vae3d")} == style.colours(["ddpm", "vae3d"])


def linear(rgb: np.ndarray) -> np.ndarray:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


# Machado et al. 2009 (doi:10.1109/TVCG.2009.113), table 1, severity 1.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_differ_for_every_reader(vision: str) -> None:
    rgb = np.array(
        [[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for colour in (*style.PALETTE, style.FLOOR_COLOURS[0])]
    )
    seen = np.clip(linear(rgb) @ np.array(VISIONS[vision]).T, 0, 1)
    seen = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = rgb2lab(seen[None])[0]
    apart = deltaE_ciede2000(lab[:, None], lab[None]) + 100 * np.eye(len(lab))
    assert apart.min() > 10


@pytest.mark.parametrize(("highest", "limit"), [(0.003, 0.005), (0.0011, 0.002), (0.37, 0.4), (0.39, 0.6), (0.99, 1), (1, 1)])
def test_axis_of_shares_ends_above_the_highest(highest: float, limit: float) -> None:
    assert style.upper_limit([0.0, np.nan, highest]) == pytest.approx(1.03 * limit)


@pytest.mark.parametrize(("panels", "shape"), [(1, (1, 1)), (3, (1, 3)), (4, (1, 4)), (5, (2, 3)), (12, (3, 4))])
def test_panels_fill_their_rows(panels: int, shape: tuple[int, int]) -> None:
    figure, axes = style.grid(panels, (2, 2))
    assert (len(axes), axes[0].get_gridspec().get_geometry()) == (panels, shape)
    plt.close(figure)


def test_legend_of_long_names_is_no_wider_than_the_figure() -> None:
    figure, _ = plt.subplots(figsize=(style.PAGE, 2))
    style.legend_below(figure, style.handles([f"a_rather_long_name_of_a_method_{index:02d}" for index in range(13)]))
    figure.canvas.draw()
    assert figure.legends[0].get_window_extent().width < figure.bbox.width
    plt.close(figure)


def test_fonts_are_embedded_as_outlines_of_letters(tmp_path) -> None:
    figure, axes = plt.subplots()
    axes.set_title("a title")
    style.save(figure, tmp_path / "f.pdf")
    written = (tmp_path / "f.pdf").read_bytes()
    assert b"/Type0" in written and b"/Type3" not in written


def test_colliding_texts_are_noticed() -> None:
    figure, axes = plt.subplots()
    axes.text(0.5, 0.5, "one")
    axes.text(0.51, 0.5, "two")
    assert seen.collisions(figure) == [("one", "two")]
    plt.close(figure)
