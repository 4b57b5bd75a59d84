"""A bank of warped lesion maps in template space: seeded, made in shards, stored as cropped float16 boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from madad.anomalies.masks import read_folder
from madad.anomalies.randomizer import Warped, draw_map, ground
from madad.errors import UserError
from madad.logs import progress
from madad.provenance import complete
from madad.seeds import numpy_generator
from madad.template import template_on_grid

# Values below this share of the peak are numerical dust and widen the boxes for nothing.
DUST = 1e-3


@dataclass(frozen=True)
class Entry:
    """One map, cropped: its box's first voxel, its values float16 (s, h, w), and how it came about."""

    start: tuple[int, int, int]
    values: np.ndarray
    source: str
    mirrored: bool
    time: float


def build(out: Path, shard: int, shards: int, spacing_mm: float, options: dict) -> None:
    """Make every `shards`-th map of a bank, beginning with number `shard`.

    A map depends on the seed and its own number alone, not on how the bank is divided.

    Args:
        out: HDF5 file to write.
        spacing_mm: voxel size of the template grid.
        options: `bank` {size, seed}, `lesion_masks`, `boundary` and the options of `randomizer.draw_map`.

    Raises:
        UserError: the folder of lesion masks cannot be used.
    """
    brain = template_on_grid(spacing_mm).brain
    where = ground(brain.array.transpose(2, 1, 0) > 0, spacing_mm, options["boundary"], brain.affine)
    folder, bank = options["lesion_masks"], options["bank"]
    lesions = read_folder(folder, options["volume_ml"]) if folder else []

    def maps() -> Iterator[Warped]:
        for number in progress(range(shard, bank["size"], shards), "warping lesion maps"):
            yield draw_map(where, lesions, options, numpy_generator(bank["seed"], "bank", number))

    _write(out, maps(), brain.affine, where.inside.shape)


class Bank:
    """Warped maps of one or more files, in memory.

    Attributes:
        shape: (S, H, W) of the grid.
        affine: (4, 4), index (I, J, K) = (W, H, S) to world mm.
        entries: the maps.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self.entries: list[Entry] = []
        for path in paths:
            shape, affine, entries = _read(Path(path))
            if self.entries and shape != self.shape:
                raise UserError(f"{path}: its grid {shape} is not that of {paths[0]} {self.shape}; make the bank again")
            self.shape, self.affine = shape, affine
            self.entries += entries
        if not self.entries:
            raise UserError(f"{', '.join(map(str, paths))}: the bank holds no map; raise anomalies.bank.size")

    def __len__(self) -> int:
        return len(self.entries)

    def volume(self, index: int) -> np.ndarray:
        """One map on the whole grid, (S, H, W) float32."""
        entry = self.entries[index]
        whole = np.zeros(self.shape, dtype=np.float32)
        whole[tuple(slice(a, a + n) for a, n in zip(entry.start, entry.values.shape, strict=True))] = entry.values
        return whole

    def slice(self, index: int, generator: np.random.Generator) -> np.ndarray:
        """One axial slice of a map, drawn by how much of the map lies in it, (H, W) float32; empty for an empty map."""
        entry = self.entries[index]
        whole = np.zeros(self.shape[1:], dtype=np.float32)
        amounts = entry.values.sum(axis=(1, 2), dtype=np.float64)
        if amounts.sum() <= 0:
            return whole
        position = generator.choice(len(amounts), p=amounts / amounts.sum())
        window = tuple(slice(a, a + n) for a, n in zip(entry.start[1:], entry.values.shape[1:], strict=True))
        whole[window] = entry.values[position]
        return whole


def _write(out: Path, maps: Iterator[Warped], affine: np.ndarray, shape: tuple[int, ...]) -> None:
    starts, sizes, values, rest = [], [], [], []
    for warped in maps:
        window = _support(warped.array)
        starts.append([part.start for part in window])
        sizes.append([part.stop - part.start for part in window])
        values.append(warped.array[window].astype(np.float16).ravel())
        rest.append(warped)
    with complete(out) as partial, h5py.File(partial, "w") as store:
        store.attrs.update(affine=affine, shape=shape)
        flat = np.concatenate(values) if values else np.zeros(0, dtype=np.float16)
        store.create_dataset("values", data=flat, compression="gzip", compression_opts=1, shuffle=True)
        store.create_dataset("start", data=np.array(starts, dtype=np.int32).reshape(-1, 3))
        store.create_dataset("size", data=np.array(sizes, dtype=np.int32).reshape(-1, 3))
        store.create_dataset("source", data=[warped.source for warped in rest], dtype=h5py.string_dtype())
        store.create_dataset("mirrored", data=np.array([warped.mirrored for warped in rest], dtype=bool))
        store.create_dataset("time", data=np.array([warped.time for warped in rest], dtype=np.float32))


def _read(path: Path) -> tuple[tuple[int, ...], np.ndarray, list[Entry]]:
    try:
        with h5py.File(path, "r") as store:
            columns = {key: store[key][:] for key in ("values", "start", "size", "source", "mirrored", "time")}
            shape, affine = tuple(int(n) for n in store.attrs["shape"]), np.asarray(store.attrs["affine"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the step that makes it") from None
    except (OSError, KeyError) as error:
        raise UserError(f"{path}: not a readable bank of lesion maps ({error}); delete it and run again") from None
    ends = np.cumsum(columns["size"].prod(axis=1, dtype=np.int64))
    entries = []
    for number, (start, size, end) in enumerate(zip(columns["start"], columns["size"], ends, strict=True)):
        values = columns["values"][end - size.prod(dtype=np.int64) : end].reshape(size)
        source, mirrored, time = (columns[key][number] for key in ("source", "mirrored", "time"))
        entries.append(Entry(tuple(int(n) for n in start), values, source.decode(), bool(mirrored), float(time)))
    return shape, affine, entries


def _support(array: np.ndarray) -> tuple[slice, ...]:
    """Box of the values worth keeping; one voxel for an empty map."""
    inside = array > DUST * array.max()
    if not inside.any():
        return tuple(slice(0, 1) for _ in array.shape)
    corners = np.argwhere(inside)
    return tuple(slice(int(a), int(b) + 1) for a, b in zip(corners.min(axis=0), corners.max(axis=0), strict=True))
