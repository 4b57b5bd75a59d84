"""The role of noise: detection against the law of the noise that a denoising method was trained with.

The axes are those of Kascenas et al. 2023 (arXiv 2301.08330): resolution and magnitude, for every kind of noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from madad.evaluation.results.collected import BLOCK, block_title
from madad.evaluation.results.metric_table import AUPRC
from madad.evaluation.results.protocol_table import PER_SUBJECT
from madad.evaluation.statistics import method_order
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.layout import style

QUALITY = AUPRC @ PER_SUBJECT
KINDS = ("coarse", "simplex", "pyramid", "gaussian")
NO_RESOLUTION = 0  # of Gaussian noise, which is drawn at every voxel


def draw_noise_study(summary: Path, noise_laws: Mapping[str, Mapping], png: Path, pdf: Path) -> None:
    """Draw AUPRC with its 95 % interval over resolution and magnitude; a row per test set, a column per kind of noise.

    Args:
        summary: see `madad.evaluation.statistics.summary`.
        noise_laws: the parameters `noise_…` of every method that has them.
    """
    lines = read_summary(summary)
    rated = lines[(lines["measure"] == QUALITY.key) & lines["value"].notna() & lines["method"].isin(noise_laws)]
    if rated.empty:
        style.save(style.empty("No evaluation of a test set with lesions yet"), png, pdf)
        return
    rated = rated.assign(**{key: [settings_of(noise_laws[method])[key] for method in rated["method"]] for key in settings_of({})})
    kinds = [kind for kind in KINDS if kind in set(rated["kind"])]
    blocks = dict(list(rated.groupby(list(BLOCK), sort=False)))
    columns = {kind: sorted(set(rated.loc[rated["kind"] == kind, "resolution"])) for kind in kinds}
    magnitudes = sorted(set(rated["magnitude"]))
    size = (style.PAGE, (0.48 * len(magnitudes) + 0.75) * len(blocks) + 0.3)
    widths = [max(len(columns[kind]), 1.6) for kind in kinds]
    figure, grid = plt.subplots(
        len(blocks), len(kinds), figsize=size, squeeze=False, sharey=True, gridspec_kw={"width_ratios": widths}
    )
    for row, (block, own) in zip(grid, blocks.items(), strict=True):
        highest = own["value"].max()
        people = method_order.in_words(int(own["subjects"].max()), int(own["subjects"].max()))
        for axes, kind in zip(row, kinds, strict=True):
            _heat_map(axes, own[own["kind"] == kind], columns[kind], magnitudes, highest)
            axes.set_title(f"{kind.capitalize()} noise")
        row[0].set(ylabel="Magnitude")
        row[0].set_title(f"{block_title(*block)} ({people})\n{kinds[0].capitalize()} noise", fontsize=9.5)
    for axes in grid[-1]:
        axes.set_xlabel("Resolution (points a side)")
    figure.suptitle(f"{QUALITY.title} by the noise of the training", fontsize=10, fontweight="bold", x=0.01, ha="left")
    style.save(figure, png, pdf)


def settings_of(law: Mapping) -> dict[str, object]:
    """Return the position of a law in the study: its kind, resolution and magnitude."""
    kind = law.get("noise_kind")
    resolution = NO_RESOLUTION if kind == "gaussian" else law.get("noise_resolution")
    return {"kind": kind, "resolution": resolution, "magnitude": law.get("noise_magnitude")}


def draw_noised(noised: Path, noise_laws: Mapping[str, Mapping], png: Path, pdf: Path) -> None:
    """Draw one healthy slice as it is and under the noise of every method.

    Args:
        noised: see `madad.models.diffusion.noise_examples`.
        noise_laws: see `draw_noise_study`.
    """
    with np.load(noised) as stored:
        images = {name: stored[name] for name in ("clean", *noise_laws)}
    figure, panels = style.grid(len(images), (1.5, 1.95), most=6)
    for axes, (name, image) in zip(panels, images.items(), strict=True):
        axes.imshow(image, origin="lower", cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title("Without noise" if name == "clean" else _name(noise_laws[name]), fontsize=7.5, loc="center")
        axes.axis("off")
    style.save(figure, png, pdf)


def _name(law: Mapping) -> str:
    setting = settings_of(law)
    points = f", {setting['resolution']} points" if setting["resolution"] else ""
    return f"{setting['kind']}{points},\nmagnitude {setting['magnitude']:g}"


def _heat_map(axes: plt.Axes, part: pd.DataFrame, resolutions: list[int], magnitudes: list[float], highest: float) -> None:
    """Draw the AUPRC under one kind of noise; the mean, where several methods share a law."""
    cells = part.groupby(["magnitude", "resolution"])[["value", "low", "high"]].mean()
    values = cells["value"].unstack().reindex(index=magnitudes, columns=resolutions).to_numpy(dtype=float)
    axes.imshow(values, origin="lower", aspect="auto", cmap="cividis", vmin=0, vmax=highest or 1)
    for (magnitude, resolution), cell in cells.iterrows():
        dark = cell["value"] < 0.6 * highest
        text = f"{cell['value']:.3f}"
        if np.isfinite(cell["low"]):  # a single subject has no interval
            text += f"\n[{cell['low']:.3f}, {cell['high']:.3f}]"
        at = resolutions.index(resolution), magnitudes.index(magnitude)
        axes.text(*at, text, ha="center", va="center", fontsize=6.5, color="white" if dark else "black")
    names = [str(resolution) if resolution else "every voxel" for resolution in resolutions]
    axes.set_xticks(range(len(resolutions)), names)
    axes.set_yticks(range(len(magnitudes)), [f"{magnitude:g}" for magnitude in magnitudes])
    axes.grid(False)
