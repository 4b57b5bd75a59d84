"""Figures of the corrupted test sets: what the artefacts look like, and what they do to every method."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from madad.core.io.hdf5 import Pack, Sample
from madad.core.io.manifest import read_table
from madad.data.corruptions.severities import CORRUPTIONS, SEVERITIES
from madad.evaluation.protocol.inputs import HEALTHY, UNKNOWN
from madad.evaluation.results.collected import BLOCK, block_title
from madad.evaluation.results.metric import Measure
from madad.evaluation.statistics.intervals import mean_interval
from madad.reporting.layout import style
from madad.reporting.tables.robustness import HEALTHY_FPR, MEASURES, by_severity, corruptions_in, read_robustness

MARGIN = 2
# Share of the distance between two severities over which the methods are spread, so that their intervals do not cover each other.
SPREAD = 0.5
# What a threshold set for 1 % false positives promises.
NOMINAL = 0.01


def draw_robustness(robustness_metrics: Path, cohort: str, modality: str, testset: str, png: Path, pdf: Path) -> None:
    """Draw a row of panels per artefact, a column per measure: means with 95 % intervals over subjects against severity.

    Args:
        robustness_metrics: see `madad.reporting.tables.robustness.collect`.
        cohort, modality, testset: the runs to show; the test set is a corrupted one.
    """
    table = read_robustness(robustness_metrics)
    block = (cohort, modality, testset)
    part = table[(table[list(BLOCK)] == list(block)).all(axis=1)]
    kinds = corruptions_in(part)
    if not kinds:
        style.save(style.empty("No evaluation of this corrupted test set yet"), png, pdf)
        return
    methods = list(dict.fromkeys(table["method"]))  # those of all test sets, so that a method looks the same in each figure
    size = (style.PAGE, 1.55 * len(kinds) + 1.0)
    figure, grid = plt.subplots(len(kinds), len(MEASURES), figsize=size, squeeze=False, sharex=True, sharey="col")
    for kind, row in zip(kinds, grid, strict=True):
        for measure, axes in zip(MEASURES, row, strict=True):
            _curves(axes, part, methods, kind, measure)
        row[0].set_ylabel(CORRUPTIONS[kind].title, fontweight="bold")
    severities = sorted(set(part["severity"]))
    for measure, axes in zip(MEASURES, grid[0], strict=True):
        axes.set_title(measure.title)
        axes.set(xticks=severities, xticklabels=["clean" if level == 0 else str(level) for level in severities])
    for axes in grid[-1]:
        axes.set_xlabel("Severity")
        axes.set_ylim(bottom=0)  # for the whole column, and only now: a limit that is set is not widened by what is drawn later
    figure.suptitle(block_title(*block), fontsize=10, fontweight="bold", x=0.01, ha="left")
    shown = set(part["method"])
    style.legend_below(figure, [entry for entry in style.handles(methods) if entry.get_label() in shown])
    style.save(figure, png, pdf)


def _curves(axes: plt.Axes, part: pd.DataFrame, methods: list[str], kind: str, measure: Measure) -> None:
    colour, marker, dash = style.colours(methods), style.markers(methods), style.dashes(methods)
    steps = np.diff(sorted(set(part["severity"])))
    width = SPREAD * (steps.min() if len(steps) else 1)
    drawn = False
    for place, method in enumerate(methods):
        values = by_severity(part[part["method"] == method], measure, kind)
        if values.notna().to_numpy().any():
            aside = width * ((place + 0.5) / len(methods) - 0.5)
            look = {"color": colour[method], "marker": marker[method], "linestyle": dash[method]}
            _curve(axes, values, aside, look, measure)
            drawn = True
    if measure == HEALTHY_FPR:
        axes.axhline(NOMINAL, color=style.GREY, lw=0.8, ls=":", zorder=0)
    if not drawn:
        style.say(axes, "no value")
    axes.grid(False, axis="x")


def _curve(axes: plt.Axes, values: pd.DataFrame, aside: float, look: dict, measure: Measure) -> None:
    subjects = list(values.index.get_level_values("subject"))
    found = [mean_interval(values[level].to_numpy(), subjects, measure.metric.scale) for level in values]
    middle, low, high = (np.array([getattr(one, key) for one in found]) for key in ("value", "low", "high"))
    places = values.columns.to_numpy(dtype=float) + aside
    axes.vlines(places, low, high, color=look["color"], lw=0.9, alpha=0.55)
    axes.plot(places, middle, lw=1.1, ms=4, mec="white", mew=0.4, clip_on=False, **look)


def draw_corruptions(test_pack: Path, corrupted_pack: Path, artefact_table: Path, png: Path, pdf: Path) -> None:
    """Draw one sample without and with every artefact: axial slices, for thick slices coronal ones.

    Args:
        test_pack: as it was.
        corrupted_pack: the pack made of it.
        artefact_table: what was done to each sample of the latter.
    """
    with Pack(test_pack) as before, Pack(corrupted_pack) as after:
        rows = read_table(artefact_table)
        sample = _shown(before, rows)
        made = {(row["corruption"], int(row["severity"])): row["name"] for row in rows if row["base"] == sample.name}
        images = {key: after.image(after.names.index(name)) for key, name in made.items()}
    kinds = [kind for kind in CORRUPTIONS if any(kind == made for made, _ in images)]
    severities = sorted({severity for _, severity in images})
    windows = {kind: _window(sample.brain, sample.lesion, 1 if kind == "thick_slices" else 0) for kind in kinds}
    shapes = [sample.image[window].shape for window in windows.values()]
    width = min(1.6, (style.PAGE - 0.3) / (len(severities) + 1))
    heights = [width * rows / columns for rows, columns in shapes]
    size = (width * (len(severities) + 1) + 0.3, sum(heights) + 0.16 * len(kinds) + 0.3)
    figure, grid = plt.subplots(
        len(kinds), len(severities) + 1, figsize=size, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    style.narrow_gaps(figure, w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    for kind, line in zip(kinds, grid, strict=True):
        _slice(line[0], sample.image[windows[kind]], sample.lesion[windows[kind]], "")
        for axes, severity in zip(line[1:], severities, strict=True):
            corruption = CORRUPTIONS[kind]
            strength = corruption.shown.format(corruption.strengths[SEVERITIES.index(severity)])
            _slice(axes, images[kind, severity][windows[kind]], sample.lesion[windows[kind]], strength)
        line[0].set_ylabel(CORRUPTIONS[kind].title, fontweight="bold")
    for axes, title in zip(grid[0], ["Clean", *(f"Severity {severity}" for severity in severities)], strict=True):
        axes.set_title(title, loc="center")
    style.save(figure, png, pdf)


def _shown(pack: Pack, rows: list[dict[str, str]]) -> Sample:
    """Return the sample whose lesion lies where the brain is largest; any sample where none has a lesion."""
    ill = {row["base"] for row in rows if row["group"] not in (HEALTHY, UNKNOWN)} or {row["base"] for row in rows}
    samples = [pack.sample(pack.names.index(name)) for name in sorted(ill)]
    return max(samples, key=lambda sample: sample.brain[_window(sample.brain, sample.lesion, 0)].sum())


def _slice(axes: plt.Axes, image: np.ndarray, lesion: np.ndarray, text: str) -> None:
    axes.imshow(image, origin="lower", cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_xlabel(text, fontsize=7, labelpad=1)
    if lesion.any():
        axes.contour(lesion, levels=[0.5], colors=[style.LESION], linewidths=0.6)


def _window(brain: np.ndarray, lesion: np.ndarray, axis: int) -> tuple[int | slice, ...]:
    """Return the slice across an axis with the most lesion, else the most brain, cut to the brain's box with a small margin."""
    others = tuple({0, 1, 2} - {axis})
    areas = (lesion if lesion.any() else brain).sum(axis=others)
    index: list[int | slice] = []
    for other in range(3):
        inside = np.flatnonzero(brain.any(axis=tuple({0, 1, 2} - {other})))
        index.append(slice(max(int(inside[0]) - MARGIN, 0), int(inside[-1]) + MARGIN + 1))
    index[axis] = int(areas.argmax())
    return tuple(index)
