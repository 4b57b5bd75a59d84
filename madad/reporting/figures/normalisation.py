"""What normalisation does to intensities: every brain's distribution before and after, and under every method.

The distances between images are given in standard deviations of all their values together, so that neither the scanner's
units nor the range that a method fills makes them small.
"""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter1d

from madad.core.errors import UserError
from madad.core.io.manifest import Row, image_name, read_table
from madad.core.io.volumes import load_image, load_mask
from madad.core.seeds import numpy_generator
from madad.data.preprocessing import packing, quality_control
from madad.data.preprocessing.steps import intensity
from madad.reporting.layout import style

# Images drawn of a cohort and sequence, and voxels drawn of each: enough for a smooth curve.
MOST_IMAGES = 50
MOST_VOXELS = 20_000
# Points at which two distributions are compared.
QUANTILES = (np.arange(512) + 0.5) / 512
BINS = 128
SMOOTHING_BINS = 1.5
# Part of all values at either end that the axis before normalisation leaves out.
OUTER_PERCENTILES = (0.5, 99.5)
TITLES = {
    "percentile": "Percentiles",
    "nyul": "Nyúl landmarks",
    "histogram_matching": "Histogram matching",
    "zscore": "Z-score",
    "equalisation": "Equalisation",
    "maximum": "Maximum",
    "median": "Median and spread",
}
PANEL, SMALL_PANEL = (3.0, 1.75), (2.25, 1.75)


@dataclass(frozen=True)
class Brain:
    """One image's intensities before and after normalisation.

    Attributes:
        name: of the image.
        cohort, site: where it comes from; the site is empty when unknown.
        before, after: (N,) of the same voxels.
    """

    name: str
    cohort: str
    site: str
    before: np.ndarray
    after: np.ndarray

    @property
    def place(self) -> str:
        """Cohort and site, as a legend names them."""
        return f"{self.cohort} {self.site}".strip()


def draw_normalisation(judged: Sequence[Path], intensity_models: Sequence[Path], modality: str, png: Path, pdf: Path) -> None:
    """Draw one row per cohort: distributions of all its brains before and after, with the mean distance between two of them.

    Args:
        judged: `results/quality/{cohort}/{pipeline}.tsv`.
        intensity_models: `results/intensity/{pipeline}/{modality}.json`.
    """
    fitted = {Path(path).parent.name: json.loads(Path(path).read_text()) for path in intensity_models}
    ready = {path.parent.name: usable(path, modality) for path in map(Path, judged) if path.stem in fitted}
    pipelines = {path.parent.name: path.stem for path in map(Path, judged)}
    cohorts = {name: list(_brains(rows, fitted[pipelines[name]], name)) for name, rows in ready.items() if rows}
    if not cohorts:
        style.save(style.empty(f"No {modality} image"), png, pdf, numbers=True)
        return
    groups = [(name, f"{len(brains)} of {len(ready[name])} images", brains) for name, brains in cohorts.items()]
    if len(groups) > 1:
        groups.append(("all cohorts", "together", [brain for brains in cohorts.values() for brain in brains]))
    colours = _colours(groups[-1][2])
    figure, grid = plt.subplots(len(groups), 2, figsize=(2.2 * PANEL[0], PANEL[1] * len(groups) + 0.3), squeeze=False)
    for (left, right), (name, number, brains) in zip(grid, groups, strict=True):
        before, after = [brain.before for brain in brains], [brain.after for brain in brains]
        _curves(left, brains, before, colours)
        _curves(right, brains, after, colours, (0, 1))
        left.set_title(f"{name}, before: {_told(before)}")
        right.set_title(f"{name}, after: {_told(after)}")
        left.set_ylabel(number)
    grid[-1][0].set_xlabel("intensity, scanner's units")
    grid[-1][1].set_xlabel("normalised intensity")
    if len(set(colours.values())) > 1:
        style.legend_below(figure, _handles(colours, list(cohorts)))
    style.save(figure, png, pdf, numbers=True)


def draw_methods(reference_tables: Sequence[Path], intensity_options: dict, modality: str, png: Path, pdf: Path) -> None:
    """Draw one panel per method of normalisation, each fitted on the same training images.

    Args:
        reference_tables: that of the cohort that fits the intensities.
        intensity_options: of the pipeline: method, lower, upper.
    """
    rows = _spread(packing.select(reference_tables, "train", modality)[0])
    if not rows:
        style.save(style.empty(f"No {modality} image to train on"), png, pdf, numbers=True)
        return
    figure, panels = style.grid(len(intensity.METHODS) + 1, SMALL_PANEL)
    brains: list[Brain] = []
    for axes, method in zip(panels[1:], intensity.METHODS, strict=True):
        axes.set_xlim(0, 1)
        title = TITLES.get(method, method)
        try:
            brains = list(_brains(rows, packing.fit_images(rows, modality, {**intensity_options, "method": method}), ""))
        except UserError as error:
            style.say(axes, "\n".join(textwrap.wrap(str(error).split(";")[0], 32)))
        else:
            after = [brain.after for brain in brains]
            _curves(axes, brains, after, _colours(brains), (0, 1))
            title = f"{title}\n{_told(after)}"
        axes.set_title(title, fontweight="bold" if method == intensity_options["method"] else "normal")
    if brains:  # some method could be fitted
        before = [brain.before for brain in brains]
        _curves(panels[0], brains, before, _colours(brains))
        panels[0].set_title(f"Not normalised\n{_told(before)}")
    style.save(figure, png, pdf, numbers=True)


def usable(path: str | Path, modality: str) -> list[Row]:
    """Return the rows of a modality that go into packs, by name."""
    rows = [row for row in read_table(path) if row["modality"] == modality and row["verdict"] in quality_control.USABLE]
    return sorted(rows, key=image_name)


def mean_distance(images: Sequence[np.ndarray]) -> float:
    """Return the mean 1-Wasserstein distance over all pairs of images, in standard deviations of all values together.

    In one dimension it is the mean distance of the quantile functions (Ramdas et al. 2017, doi:10.3390/e19020047,
    proposition 1). NaN for fewer than two images.

    Args:
        images: (N,) values each; they may differ in number.
    """
    if len(images) < 2:
        return float("nan")
    quantiles = [np.quantile(image, QUANTILES) for image in images]
    spread = float(np.std(np.concatenate(quantiles)))
    distances = [float(np.abs(first - second).mean()) for first, second in combinations(quantiles, 2)]
    return float(np.mean(distances)) / spread if spread > 0 else 0.0


def _told(images: Sequence[np.ndarray]) -> str:
    distance = mean_distance(images)
    return f"distance {distance:.2f} SD" if np.isfinite(distance) else "one image"


def _brains(rows: Sequence[Row], model: intensity.Model, cohort: str) -> Iterator[Brain]:
    for row in _spread(rows):
        image, brain = load_image(row["image"]).array, load_mask(row["brain"], name="brain mask").array
        yield Brain(image_name(row), cohort, row["site"], *_sampled(row, brain, image, intensity.apply(model, image, brain)))


def _sampled(row: Row, brain: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
    """Return every n-th value in the brain of some arrays, beginning at a position that depends on the image."""
    places = np.flatnonzero(brain > 0)
    stride = max(1, len(places) // MOST_VOXELS)
    start = int(numpy_generator("normalisation figure", image_name(row), row["modality"]).integers(stride))
    return [array.ravel()[places[start::stride]] for array in arrays]


def _spread(rows: Sequence[Row]) -> list[Row]:
    """Return at most `MOST_IMAGES` rows, evenly spread."""
    picked = np.linspace(0, len(rows) - 1, min(MOST_IMAGES, len(rows))).round().astype(int)
    return [rows[place] for place in picked]


def _colours(brains: Sequence[Brain]) -> dict[str, str]:
    """Return a colour for every place, or one per cohort where there are more places than colours."""
    places = list(dict.fromkeys(brain.place for brain in brains))
    if len(places) <= len(style.PALETTE):
        return dict(zip(places, style.PALETTE, strict=False))
    cohorts = list(dict.fromkeys(brain.cohort for brain in brains))
    return {brain.place: style.PALETTE[cohorts.index(brain.cohort) % len(style.PALETTE)] for brain in brains}


def _handles(colours: dict[str, str], cohorts: Sequence[str]) -> list[plt.Line2D]:
    shared = len(set(colours.values())) < len(colours)
    named = dict(zip(cohorts, dict.fromkeys(colours.values()), strict=False)) if shared else colours
    return [plt.Line2D([], [], color=colour, label=name) for name, colour in named.items()]


def _curves(
    axes: plt.Axes,
    brains: Sequence[Brain],
    images: Sequence[np.ndarray],
    colours: Mapping[str, str],
    span: tuple[float, float] | None = None,
) -> None:
    """Draw one smoothed histogram per image."""
    low, high = span or np.percentile(np.concatenate(images), OUTER_PERCENTILES)
    edges = np.linspace(low, high, BINS + 1)
    middle, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    own, tops = [colours[brain.place] for brain in brains], []
    alike = Counter(own)
    for brain, image, colour in zip(brains, images, own, strict=True):
        density = np.histogram(image, edges)[0] / (len(image) * width)
        density = gaussian_filter1d(density, SMOOTHING_BINS, mode="nearest")
        tops.append(float(density[2:-2].max()))
        alpha = max(0.25, min(0.9, 12 / alike[colour]))
        axes.plot(middle, density, color=colour, linewidth=0.7, alpha=alpha, gid=brain.name)
    axes.set_xlim(low, high)
    # the clipped values at 0 and 1 would press everything else to the ground
    axes.set_ylim(0, 1.1 * max(tops))
    axes.set_yticks([])
    axes.grid(False)
