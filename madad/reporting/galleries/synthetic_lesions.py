"""The generator of synthetic lesions in pictures: how a lesion moves, and what pairs look like.

Axial slices in neurological convention: the patient's left is at the left, anterior is up.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from madad.reporting.layout import style

# Share of a map's peak above which a voxel belongs to the lesion; drawn as its outline.
THRESHOLD = 0.2
PRESET_TITLES = {
    "una_code": "UNA, released code",
    "conddiff_code": "CondDiff, released code",
    "una_paper": "UNA, as in the paper",
    "blended": "the same, blended with the anatomy",
}
MARGIN = 2


def draw_examples(examples: Path, png: Path, pdf: Path) -> None:
    """Draw the evolution of one lesion in time above; below, pairs of healthy and lesioned slices under every preset.

    Args:
        examples: npz file written by the verb `examples`.
    """
    with np.load(examples, allow_pickle=False) as stored:
        shown = {key: stored[key] for key in stored.files}
    figure = plt.figure(figsize=(9.2, 8.2))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 3.0))[:, 0]
    _draw_evolution(above, shown)
    _draw_samples(below, shown)
    style.save(figure, png, pdf)


def _draw_evolution(figure: plt.Figure, shown: dict[str, np.ndarray]) -> None:
    maps, anatomy = shown["evolution"], shown["anatomy"]
    window = _window(anatomy)
    figure.suptitle("A lesion carried along a random flow (outline: 0.2 of its peak)", fontsize=10, x=0.01, ha="left")
    for axes, one, time in zip(figure.subplots(1, len(maps)), maps, shown["times"], strict=True):
        _picture(axes, anatomy[window], f"T = {time:g}")
        cut = one[window]
        axes.imshow(np.ma.masked_less(cut, 0.02), origin="lower", cmap="inferno", vmin=0, vmax=1, alpha=0.75)
        _outline(axes, cut, "white")


def _draw_samples(figure: plt.Figure, shown: dict[str, np.ndarray]) -> None:
    presets = list(dict.fromkeys(shown["preset"].tolist()))
    each = len(shown["preset"]) // len(presets)
    figure.suptitle("Pairs: healthy, with a lesion (outline: the lesion)", fontsize=10, x=0.01, ha="left")
    grid = figure.subplots(len(presets), 2 * each, squeeze=False)
    for number, preset in enumerate(shown["preset"].tolist()):
        row, column = divmod(number, each)
        left, right = grid[row, 2 * column], grid[row, 2 * column + 1]
        window = _window(shown["healthy"][number])
        _picture(left, shown["healthy"][number][window], PRESET_TITLES.get(preset, preset) if column == 0 else "")
        _picture(right, shown["lesioned"][number][window], "")
        _outline(right, shown["map"][number][window], style.LESION)


def _picture(axes: plt.Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image, origin="lower", cmap="gray", vmin=0, vmax=1)
    axes.set_title(title, fontsize=8)
    axes.axis("off")


def _outline(axes: plt.Axes, lesion: np.ndarray, colour: str) -> None:
    if lesion.max() > 0:
        axes.contour(lesion, levels=[THRESHOLD * lesion.max()], colors=[colour], linewidths=0.7)


def _window(image: np.ndarray) -> tuple[slice, slice]:
    """Return the box of a slice's brain with a small margin."""
    corners = np.argwhere(image > 0)
    if not len(corners):
        return slice(None), slice(None)
    low, high = np.maximum(corners.min(axis=0) - MARGIN, 0), corners.max(axis=0) + MARGIN + 1
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
