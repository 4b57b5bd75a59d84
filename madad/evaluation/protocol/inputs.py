"""List and read the samples of an evaluation; maps and packs that do not belong together are an error."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from madad.core.errors import UserError
from madad.core.intensity_scale import seen
from madad.core.io.hdf5 import Maps, Pack
from madad.core.logs import say
from madad.core.score_levels import joined
from madad.core.shapes import AFFINE_TOLERANCE_MM
from madad.evaluation.metrics.ordinal_scores import ScoreCode
from madad.evaluation.results.long_table import SampleIdentity

TEST, VALIDATION, HEALTHY = "test", "validation", "healthy"
# Nothing says whether a subject of this group is healthy.
UNKNOWN = "unknown"
# Attribute of maps that holds the `content` of the pack of a split, from inference.
CONTENT = "content_"


class Source(NamedTuple):
    """A pack and the file with its maps; None for the reference masks themselves, as the maps of a perfect method."""

    maps: Path | None
    pack: Path


class Job(NamedTuple):
    """One sample to read.

    Attributes:
        source: where it lies.
        index: its place in the pack.
        identity: what its numbers are called.
        marked: whether its lesions are known: it is healthy, or has a reference mask.
    """

    source: Source
    index: int
    identity: SampleIdentity
    marked: bool = True


class ReferenceMaps:
    """The reference masks of a pack as anomaly maps, 1 in lesions and 0 elsewhere; stands in for `Maps`."""

    attributes: Mapping[str, str] = {}
    levels = np.array([0, 1], dtype=np.float32)

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pack = Pack(path)
        self.seconds = self.peak_memory_mb = self.flagged_share = np.full(len(self._pack), np.nan)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pack.__exit__(kind, error, trace)

    def row(self, split: str, name: str) -> int:
        """Return the place of a sample."""
        return self._pack.names.index(name)

    def anomaly_map(self, row: int) -> np.ndarray:
        """Return the mask of a sample inside its brain, (S, H, W) float32."""
        return (self._pack.lesion(row) & self._pack.brain(row)).astype(np.float32)

    def reconstruction(self, row: int) -> None:
        """Return None: a mask reconstructs nothing."""


def open_maps(source: Source) -> Maps | ReferenceMaps:
    """Open the maps of a source."""
    return ReferenceMaps(source.pack) if source.maps is None else Maps(source.maps)


@dataclass(frozen=True)
class Grid:
    """The voxels that all samples share.

    Attributes:
        shape: slices, rows and columns.
        spacing_mm: of a voxel, in the same order.
        affine: (4, 4), index (W, H, S) to world mm.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    affine: np.ndarray

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return float(np.prod(self.spacing_mm)) / 1000


class Loaded(NamedTuple):
    """One sample as read: (S, H, W) each; None for a reconstruction that the method does not make, and for an unneeded image."""

    anomaly_map: np.ndarray
    brain: np.ndarray
    lesion: np.ndarray
    image: np.ndarray | None
    reconstruction: np.ndarray | None
    seconds: float
    peak_memory_mb: float
    flagged_share: float = np.nan


_files: dict[Source, tuple[Maps | ReferenceMaps, Pack]] = {}


@contextmanager
def reading() -> Generator[None]:
    """Files opened by `load` inside the block are closed at its end."""
    try:
        yield
    finally:
        while _files:
            for file in _files.popitem()[1]:
                file.__exit__(None, None, None)


def list_jobs(maps: Path | None, packs: list[Path], identity: dict, calibration: Source | None = None) -> tuple[list[Job], Grid]:
    """Return every sample of the packs, and the grid they share.

    Without a healthy validation subject of their own the healthy ones of the calibration follow, as validation subjects.

    Raises:
        UserError: the maps are of another method or data, the packs on different grids, or a map is missing.
    """
    sources = [Source(maps and Path(maps), Path(pack)) for pack in packs]
    jobs, grids = [], []
    with ExitStack() as stack:
        for source in sources:
            jobs += _jobs_of(source, identity, stack, grids)
        if calibration and not any(job.identity.split == VALIDATION and job.identity.group == HEALTHY for job in jobs):
            others = [
                job for job in _jobs_of(calibration, identity, stack, grids, calibrating=True) if job.identity.group == HEALTHY
            ]
            say(f"thresholds of the healthy: from {len(others)} scans of {calibration.pack}")
            jobs += others
    return jobs, _common(grids)


def _jobs_of(source: Source, identity: dict, stack: ExitStack, grids: list, calibrating: bool = False) -> list[Job]:
    maps, pack = stack.enter_context(open_maps(source)), stack.enter_context(Pack(source.pack))
    # the maps of a calibration are those of the same run on its own cohort
    keys = [key for key in ("cohort", "modality", "method", "seed", "testset") if not (calibrating and key == "testset")]
    for key in keys:
        found, expected = maps.attributes.get(key), identity.get(key)
        if found is not None and expected is not None and found != str(expected):
            raise UserError(f"{maps.path}: holds the maps of {key} {found}, not of {expected}; give the file of this run")
    if maps.attributes.get(CONTENT + pack.split, pack.content) != pack.content:
        raise UserError(f"{maps.path}: was made from another version of {pack.path}; delete the file and run again")
    for name in pack.names:
        maps.row(pack.split, name)
    if len(pack):
        grids.append((pack.path, Grid(pack.shape, pack.spacing_mm, pack.affine)))
    known = [pack.marked(index) and group != UNKNOWN for index, group in enumerate(pack.groups)]
    who = [SampleIdentity(*one, pack.split) for one in zip(pack.names, pack.subjects, pack.groups, strict=True)]
    return [Job(source, index, identity, marked) for index, (identity, marked) in enumerate(zip(who, known, strict=True))]


def _common(grids: list[tuple[Path, Grid]]) -> Grid:
    if not grids:
        return Grid((0, 0, 0), (1.0, 1.0, 1.0), np.eye(4))
    first_path, first = grids[0]
    for path, grid in grids[1:]:
        if grid.shape != first.shape or np.abs(grid.affine - first.affine).max() > AFFINE_TOLERANCE_MM:
            raise UserError(f"{path}: not on the grid of {first_path}; preprocess both with one pipeline")
    return first


def code_of(jobs: Sequence[Job], thresholds: Sequence[float] = ()) -> ScoreCode:
    """Return the code of the scores in all maps of some jobs.

    Args:
        jobs: with every file that is evaluated together.
        thresholds: scores that must have an ordinal of their own.

    Raises:
        UserError: maps without a list of their scores.
    """
    lists = []
    for source in dict.fromkeys(job.source._replace(pack=job.source.pack if job.source.maps is None else Path()) for job in jobs):
        with open_maps(source) as maps:
            lists.append(maps.levels)
    return ScoreCode(joined(lists, np.array(thresholds, dtype=np.float32)))


def load(job: Job, *, images: bool) -> Loaded:
    """Read one sample.

    Args:
        images: whether image and reconstruction are wanted; the image is read where there is something to measure on it.

    Raises:
        UserError: the map or the reconstruction has another shape than the image, or the map is not finite.
    """
    if job.source not in _files:
        _files[job.source] = (open_maps(job.source), Pack(job.source.pack))
    maps, pack = _files[job.source]
    name, row = pack.names[job.index], maps.row(pack.split, pack.names[job.index])
    anomaly_map, brain = maps.anomaly_map(row), pack.brain(job.index)
    reconstruction = maps.reconstruction(row) if images else None
    for word, array in (("map", anomaly_map), ("reconstruction", reconstruction)):
        if array is not None and array.shape != brain.shape:
            found = f"{maps.path}: the {word} of {name} has shape {array.shape}, its image {brain.shape}"
            raise UserError(f"{found}; delete the file and run again")
    if not np.isfinite(anomaly_map).all():
        raise UserError(f"{maps.path}: the map of {name} holds NaN or infinite values and cannot be ranked; the method diverged")
    lesion = pack.lesion(job.index)
    image = seen(pack.image(job.index)) if images and (reconstruction is not None or lesion.any()) else None
    numbers = [float(column[row]) for column in (maps.seconds, maps.peak_memory_mb, maps.flagged_share)]
    return Loaded(anomaly_map, brain, lesion, image, reconstruction, *numbers)
