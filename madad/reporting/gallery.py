"""Pictures of cases that a rule chose, not a person: the best, the median and the worst of a test set by AUPRC.

Axial slices in neurological convention: the patient's left is at the left, anterior is up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize

from madad.evaluation.long_table import read
from madad.reporting import style
from madad.reporting.collect import block_title
from madad.stores import Maps, Pack

SPLIT = "test"
MAP_COLOURS = "inferno"
# The brightest voxels of a map are cut off, or one of them would darken the rest.
BRIGHTEST_SHARE = 99.8
MARGIN = 2


@dataclass(frozen=True)
class Case:
    """One sample of the test pack and why it is shown."""

    why: str
    name: str
    auprc: float


def draw_gallery(maps: Path, metrics: Path, packs: Sequence[Path], png: Path, pdf: Path) -> None:
    """Input, reconstruction, anomaly map and reference of the best, median and worst case of one method.

    Args:
        maps, metrics: of one evaluation.
        packs: among them the test pack.
    """
    with ExitStack() as stack:
        predictions, pack = stack.enter_context(Maps(maps)), stack.enter_context(_test_pack(packs))
        cases = choose_cases(_auprc(metrics))
        if not cases:
            style.save(style.empty("No test subject has a lesion"), png, pdf)
            return
        rows = [_Slice.of(pack, case.name) for case in cases]
        restored = predictions.has_reconstruction
        titles = ["Input", *(["Reconstruction"] if restored else []), "Anomaly map", "Reference"]
        norm = _scale(predictions, [case.name for case in cases])
        figure, grid = _panels(rows, titles, beside=1.6)
        for line, case, view in zip(grid, cases, rows, strict=True):
            row = predictions.row(SPLIT, case.name)
            shown = [view.image, *([view.cut(predictions.reconstruction(row))] if restored else [])]
            for axes, picture in zip(line, shown, strict=False):
                _grey(axes, picture)
            drawn = line[-2].imshow(view.cut(predictions.anomaly_map(row)), cmap=MAP_COLOURS, norm=norm)
            _reference(line[-1], view)
            line[0].set_ylabel(
                f"{case.why}\n{case.name}\nAUPRC {case.auprc:.2f}", rotation=0, ha="right", va="center", fontsize=8
            )
        figure.colorbar(drawn, ax=list(grid[:, -1]), label="Anomaly score", shrink=0.7, extend="max", pad=0.02)
        _finish(figure, grid[0, 0], _title(predictions), png, pdf)


def draw_side_by_side(maps: Sequence[Path], metrics: Sequence[Path], packs: Sequence[Path], png: Path, pdf: Path) -> None:
    """The same three cases under every method: best, median and worst by the mean AUPRC over methods.

    Every method has its own colour scale, the same for its three cases, because scores of methods have no common unit.

    Args:
        maps, metrics: of the methods to compare, in the same order, all on one test set.
        packs: among them the test pack.
    """
    with ExitStack() as stack:
        predictions = [stack.enter_context(Maps(path)) for path in maps]
        pack = stack.enter_context(_test_pack(packs))
        own = [_auprc(path) for path in metrics]
        cases = choose_cases(pd.DataFrame(own).mean(axis=0).to_dict())
        if not cases:
            style.save(style.empty("No test subject has a lesion"), png, pdf)
            return
        rows = [_Slice.of(pack, case.name) for case in cases]
        figure, grid = _panels(rows, ["Input", "Reference", *(store.attributes["method"] for store in predictions)], beside=0.9)
        scales = [_scale(store, [case.name for case in cases]) for store in predictions]
        for line, case, view in zip(grid, cases, rows, strict=True):
            _grey(line[0], view.image)
            _reference(line[1], view)
            for axes, store, norm, values in zip(line[2:], predictions, scales, own, strict=True):
                axes.imshow(view.cut(store.anomaly_map(store.row(SPLIT, case.name))), cmap=MAP_COLOURS, norm=norm)
                axes.set_xlabel(f"AUPRC {values[case.name]:.2f}", fontsize=8, labelpad=2)
            line[0].set_ylabel(f"{case.why}\n{case.name}", rotation=0, ha="right", va="center", fontsize=8)
        _finish(figure, grid[0, 0], _title(predictions[0], "Every method"), png, pdf)


def choose_cases(auprc: Mapping[str, float]) -> list[Case]:
    """Best, median and worst sample; fewer when there are fewer samples. Equal values are ordered by name."""
    ranked = sorted(((value, name) for name, value in auprc.items() if np.isfinite(value)), key=lambda pair: (-pair[0], pair[1]))
    places = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    chosen: dict[int, Case] = {}
    for why in ("best", "worst", "median") if ranked else ():
        value, name = ranked[places[why]]
        chosen.setdefault(places[why], Case(why, name, value))
    cases = [chosen[place] for place in sorted(chosen)]
    return cases if len(cases) != 1 else [replace(cases[0], why="only")]


def lesion_slice(lesion: np.ndarray, brain: np.ndarray) -> int:
    """Slice with the largest lesion area; without a lesion the middle of the brain's slices.

    Args:
        lesion, brain: (S, H, W) bool.
    """
    areas = lesion.sum(axis=(1, 2))
    if areas.any():
        return int(np.argmax(areas))
    inside = np.flatnonzero(brain.any(axis=(1, 2)))
    return int(inside[len(inside) // 2]) if inside.size else lesion.shape[0] // 2


@dataclass(frozen=True)
class _Slice:
    """One slice of a subject, cut to its brain and turned for display."""

    index: int
    box: tuple[slice, slice]
    image: np.ndarray
    lesion: np.ndarray

    @classmethod
    def of(cls, pack: Pack, name: str) -> _Slice:
        """The slice to show of a sample."""
        sample = pack.sample(pack.names.index(name))
        index = lesion_slice(sample.lesion, sample.brain)
        box = _box(sample.brain.any(axis=0))  # of the whole brain, so that all cases have one scale
        blank = cls(index, box, np.empty(0), np.empty(0))
        return cls(index, box, blank.cut(sample.image), blank.cut(sample.lesion))

    def cut(self, volume: np.ndarray) -> np.ndarray:
        """The slice of a volume (S, H, W) with anterior up."""
        return volume[self.index][self.box][::-1]


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    sides = [np.flatnonzero(mask.any(axis=other)) for other in (1, 0)]
    return tuple(slice(max(0, side[0] - MARGIN), side[-1] + 1 + MARGIN) if side.size else slice(None) for side in sides)


def _auprc(metrics: Path) -> dict[str, float]:
    rows = read(metrics)
    return {row["sample"]: float(row["value"]) for row in rows if (row["metric"], row["protocol"]) == ("auprc", "per_subject")}


def _test_pack(paths: Sequence[Path]) -> Pack:
    for path in paths:
        pack = Pack(path)
        if pack.split == SPLIT:
            return pack
        pack.__exit__(None, None, None)
    raise ValueError(f"none of {', '.join(map(str, paths))} is a test pack")


def _scale(maps: Maps, names: Sequence[str]) -> Normalize:
    """One colour scale for all cases of a method, from 0 to nearly the brightest voxel."""
    tops = [np.percentile(volume[volume > 0], BRIGHTEST_SHARE) for volume in _volumes(maps, names) if (volume > 0).any()]
    return Normalize(0, float(max(tops, default=1.0)), clip=True)


def _volumes(maps: Maps, names: Sequence[str]) -> list[np.ndarray]:
    return [maps.anomaly_map(maps.row(SPLIT, name)) for name in names]


def _panels(rows: Sequence[_Slice], titles: Sequence[str], beside: float) -> tuple[plt.Figure, np.ndarray]:
    height, width = rows[0].image.shape
    size = (1.55 * len(titles) + beside, 1.62 * height / width * len(rows) + 0.5)
    figure, grid = plt.subplots(len(rows), len(titles), figsize=size, squeeze=False)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set_visible(False)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, loc="center", fontsize=9)
    return figure, grid


def _grey(axes: plt.Axes, picture: np.ndarray) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)


def _reference(axes: plt.Axes, view: _Slice) -> None:
    _grey(axes, view.image)
    if view.lesion.any():
        axes.contour(view.lesion, levels=[0.5], colors=["#56b4e9"], linewidths=1.3)


def _title(maps: Maps, whose: str | None = None) -> str:
    about = maps.attributes
    name = whose or f"{about['method']}, seed {about['seed']}"
    return f"{name} on {block_title(about['cohort'], about['modality'], about['testset'])}"


def _finish(figure: plt.Figure, corner: plt.Axes, title: str, png: Path, pdf: Path) -> None:
    figure.suptitle(title, fontsize=10, fontweight="bold")
    for x, letter, side in ((0.02, "L", "left"), (0.98, "R", "right")):
        corner.text(x, 0.02, letter, transform=corner.transAxes, ha=side, va="bottom", color="white", fontsize=7.5)
    style.save(figure, png, pdf)
