"""Read and write single datasets of the HDF5 files of the pipeline."""

from __future__ import annotations

import h5py
import numpy as np

from madad.core.io.hdf5_files import Store


def append(store: Store, key: str, array: np.ndarray) -> None:
    """Add an array (S, H, W) to a dataset (N, S, H, W), which is made for the first; each slice is one chunk."""
    if key not in store:
        store.create_dataset(
            key,
            shape=(0, *array.shape),
            maxshape=(None, *array.shape),
            dtype=array.dtype,
            chunks=(1, 1, *array.shape[1:]),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
    dataset = store[key]
    dataset.resize(dataset.shape[0] + 1, axis=0)
    dataset[-1] = array
    store.check()


def within(array: np.ndarray, kind: type[np.float16] | type[np.float32]) -> np.ndarray:
    """Return an array in a shorter type; what is beyond its range becomes the largest number that it has."""
    limit = float(np.finfo(kind).max)
    with np.errstate(over="ignore"):
        return np.clip(array.astype(np.float32), -limit, limit).astype(kind)


def texts(store: h5py.File, key: str) -> list[str]:
    """Return a dataset of texts."""
    return [text.decode() if isinstance(text, bytes) else str(text) for text in store[key][:]]
