"""A bank of warped lesion maps: seeded, built in shards, stored as cropped float16 boxes.

Maps lie in template space, or in the common space of images that are not registered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack
from madad.core.io.hdf5_files import creating, reading
from madad.core.logs import progress, say
from madad.core.seeds import numpy_generator
from madad.core.shapes import Shape3, shape3
from madad.data.anomalies.generator import Region, Warped, describe_region, draw_map
from madad.data.anomalies.lesion_masks import Lesion, within
from madad.data.anomalies.mask_split import divided
from madad.data.template import target, to_mni

# Values below this share of the peak are rounding errors, which would only enlarge the boxes.
DUST = 1e-3


@dataclass(frozen=True)
class Entry:
    """One cropped map.

    Attributes:
        start: first voxel of its box.
        values: (s, h, w) float16.
        source: name of the real mask, or "perlin".
        mirrored: whether the mask was reflected.
        time: duration of the flow.
        digest: of the real mask, "" for a random shape.
    """

    start: Shape3
    values: np.ndarray
    source: str
    mirrored: bool
    time: float
    digest: str = ""


def build(out: Path, shard: int, shards: int, options: dict, pack: Path | None = None) -> None:
    """Draw every `shards`-th map of a bank, beginning with number `shard`.

    A map depends only on the seed and its own number, not on the number of shards.

    Args:
        out: HDF5 file to write.
        shard: number of the shard, counted from 0.
        shards: number of shards.
        options: `bank` {size, seed}, `lesion_masks` with `test_masks` and `mask_seed`, `boundary`, `grid` (options of
            `madad.data.template.target`) and the options of `generator.draw_map`.
        pack: training images that are not registered to a template; maps then fill the brain that most of them share, on
            their grid, with random shapes alone. Of single slices the maps are 2D.

    Raises:
        UserError: the folder of lesion masks or the template cannot be used, or the pack has no healthy image.
    """
    region, grid = _common_region(pack, options) if pack else _template_region(options)
    bank = options["bank"]
    lesions = _lesions(options) if region.affine is not None else []

    def maps() -> Iterator[Warped]:
        for number in progress(range(shard, bank["size"], shards), "warping lesion maps"):
            yield draw_map(region, lesions, options, numpy_generator(bank["seed"], "bank", number))

    _write(out, maps(), grid)


def _lesions(options: dict) -> list[Lesion]:
    """Return the real masks that training may use."""
    folder = options["lesion_masks"]
    lesions = divided(folder, options)[0] if folder else []
    return within(lesions, options["volume_ml"], folder) if lesions else []


def _template_region(options: dict) -> tuple[Region, dict[str, object]]:
    """Return the template's brain, and the grid on which maps are stored."""
    brain, placement = target(options["grid"]).brain, to_mni(options["grid"])
    inside = brain.array.transpose(2, 1, 0) > 0
    region = describe_region(inside, brain.spacing_mm[0], options["boundary"], placement @ brain.affine)
    return region, {"affine": brain.affine, "shape": inside.shape, "to_mni": placement}


def _common_region(path: Path, options: dict) -> tuple[Region, dict[str, object]]:
    """Return the voxels that belong to the brain of at least half of the healthy subjects, and their grid."""
    with Pack(path) as pack:
        healthy = pack.healthy()
        if not healthy:
            raise UserError(f"{path}: no healthy subject, so there is no brain to draw lesions in; train on another cohort")
        inside = np.mean([pack.brain(index) for index in healthy], axis=0) >= 0.5
        affine, spacing_mm = pack.affine, pack.spacing_mm[-1]
    if options["lesion_masks"]:
        say("the images are not registered, so real lesion masks have no place in them: all shapes are random")
    region = describe_region(inside[0] if len(inside) == 1 else inside, spacing_mm, options["boundary"])
    return region, {"affine": affine, "shape": inside.shape}


class Bank:
    """Warped maps of one or more files, in memory.

    Attributes:
        shape: (S, H, W) of the grid.
        affine: (4, 4), index (I, J, K) = (W, H, S) to world mm.
        to_mni: (4, 4), world mm to MNI mm; None for images that are not registered.
        entries: the maps.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self.entries: list[Entry] = []
        for path in paths:
            shape, affine, placement, entries = _read(Path(path))
            if self.entries and shape != self.shape:
                raise UserError(f"{path}: its grid {shape} is not that of {paths[0]} {self.shape}; make the bank again")
            self.shape, self.affine, self.to_mni = shape, affine, placement
            self.entries += entries
        if not self.entries:
            raise UserError(f"{', '.join(map(str, paths))}: the bank holds no map; raise anomalies.bank.size")

    def __len__(self) -> int:
        return len(self.entries)

    def volume(self, index: int) -> np.ndarray:
        """Return one map on the whole grid, (S, H, W) float32."""
        entry = self.entries[index]
        whole = np.zeros(self.shape, dtype=np.float32)
        whole[tuple(slice(a, a + n) for a, n in zip(entry.start, entry.values.shape, strict=True))] = entry.values
        return whole

    def slice(self, index: int, generator: np.random.Generator) -> np.ndarray:
        """Draw one axial slice of a map by the amount of lesion in it, (H, W) float32; 0 everywhere for an empty map."""
        entry = self.entries[index]
        whole = np.zeros(self.shape[1:], dtype=np.float32)
        amounts = entry.values.sum(axis=(1, 2), dtype=np.float64)
        if amounts.sum() <= 0:
            return whole
        position = generator.choice(len(amounts), p=amounts / amounts.sum())
        window = tuple(slice(a, a + n) for a, n in zip(entry.start[1:], entry.values.shape[1:], strict=True))
        whole[window] = entry.values[position]
        return whole


def _write(out: Path, maps: Iterator[Warped], grid: dict[str, object]) -> None:
    starts, sizes, values, rest = [], [], [], []
    for warped in maps:
        array = warped.array if warped.array.ndim == 3 else warped.array[None]
        window = _support(array)
        starts.append([part.start for part in window])
        sizes.append([part.stop - part.start for part in window])
        values.append(array[window].astype(np.float16).ravel())
        rest.append(warped)
    with creating(out) as store:
        store.attrs.update(grid)
        flat = np.concatenate(values) if values else np.zeros(0, dtype=np.float16)
        store.create_dataset("values", data=flat, compression="gzip", compression_opts=1, shuffle=True)
        store.create_dataset("start", data=np.array(starts, dtype=np.int32).reshape(-1, 3))
        store.create_dataset("size", data=np.array(sizes, dtype=np.int32).reshape(-1, 3))
        store.create_dataset("source", data=[warped.source for warped in rest], dtype=h5py.string_dtype())
        store.create_dataset("digest", data=[warped.digest for warped in rest], dtype=h5py.string_dtype())
        store.create_dataset("mirrored", data=np.array([warped.mirrored for warped in rest], dtype=bool))
        store.create_dataset("time", data=np.array([warped.time for warped in rest], dtype=np.float32))


def _read(path: Path) -> tuple[Shape3, np.ndarray, np.ndarray | None, list[Entry]]:
    try:
        with reading(path) as store:
            columns = {key: store[key][:] for key in ("values", "start", "size", "source", "mirrored", "time", "digest")}
            shape = shape3(store.attrs["shape"])
            affine = np.asarray(store.attrs["affine"])
            placement = np.asarray(store.attrs["to_mni"]) if "to_mni" in store.attrs else None
    except (OSError, KeyError) as error:
        raise UserError(f"{path}: not a readable bank of lesion maps ({error}); delete it and run again") from None
    ends = np.cumsum(columns["size"].prod(axis=1, dtype=np.int64))
    entries = []
    for number, (start, size, end) in enumerate(zip(columns["start"], columns["size"], ends, strict=True)):
        values = columns["values"][end - size.prod(dtype=np.int64) : end].reshape(size)
        source, mirrored, time, digest = (columns[key][number] for key in ("source", "mirrored", "time", "digest"))
        entries.append(Entry(shape3(start), values, source.decode(), bool(mirrored), float(time), digest.decode()))
    return shape, affine, placement, entries


def _support(array: np.ndarray) -> tuple[slice, ...]:
    """Return the box of all values that are stored; one voxel for an empty map."""
    inside = array > DUST * array.max()
    if not inside.any():
        return tuple(slice(0, 1) for _ in array.shape)
    corners = np.argwhere(inside)
    return tuple(slice(int(a), int(b) + 1) for a, b in zip(corners.min(axis=0), corners.max(axis=0), strict=True))
