"""The two kinds of HDF5 file of the pipeline: packs (images with reference masks) and maps (the output of a method).

Axes as in `madad.core.interfaces`: N subjects, S slices, H rows, W columns; each slice is one chunk, so that
a slice or a subject can be read alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np

from madad.core.errors import UserError
from madad.core.io.hdf5_datasets import append, texts, within
from madad.core.io.hdf5_files import creating, reading
from madad.core.score_levels import ScoreLevels
from madad.core.shapes import Shape3, Vector3, shape3, vector3

# A subject without a lesion, one with its own lesions, and a healthy one with an implanted lesion.
GROUPS = ("healthy", "patient", "implanted")

# Covariate of a sample whose lesions were not drawn: its lesion mask is all False, and means nothing.
REFERENCE, MISSING = "reference_mask", "missing"


@dataclass(frozen=True)
class Sample:
    """One subject of a pack.

    Attributes:
        name: unique within the pack; `sub-01`, `sub-01_ses-2`, or `sub-01_lesion-03` for implanted ones.
        group: one of `GROUPS`.
        image: (S, H, W) float32, not below 0 and exactly 0 outside the brain; above 1 where an image is brighter than the
            normal range (`madad.core.intensity_scale`: methods see what lies in [0, 1]).
        brain: (S, H, W) bool.
        lesion: (S, H, W) bool, all False for healthy subjects, and where `REFERENCE` is `MISSING`.
        covariates: what is known about the subject (subject, session, age, sex, site, lesion kind …), serialisable as JSON.
    """

    name: str
    group: str
    image: np.ndarray
    brain: np.ndarray
    lesion: np.ndarray
    covariates: dict[str, str | float | None] = field(default_factory=dict)


def write_pack(path: str | Path, samples: Iterator[Sample], *, affine: np.ndarray, modality: str, cohort: str, split: str) -> int:
    """Write samples one at a time and return how many there were.

    Args:
        path: the HDF5 file.
        samples: all on one grid.
        affine: (4, 4), index (I, J, K) = (W, H, S) to RAS+ world coordinates in mm.
        modality: sequence of the images.
        cohort: cohort or test set that the samples belong to.
        split: split that the samples belong to.
    """
    names: list[str] = []
    groups: list[str] = []
    covariates: list[str] = []
    digest = hashlib.sha256()
    with creating(path) as store:
        store.attrs.update(affine=affine, modality=modality, cohort=cohort, split=split)
        for sample in samples:
            for key, dtype in (("image", np.float32), ("brain", np.uint8), ("lesion", np.uint8)):
                array = np.ascontiguousarray(getattr(sample, key), dtype=dtype)
                append(store, key, array)
                digest.update(array.tobytes())
            names.append(sample.name)
            groups.append(sample.group)
            covariates.append(json.dumps(sample.covariates, sort_keys=True))
        if len(set(names)) != len(names):
            raise ValueError(f"{path}: sample names are not unique")
        digest.update("\n".join(names).encode())
        for key, own in (("name", names), ("group", groups), ("covariates", covariates)):
            store.create_dataset(key, data=own, dtype=h5py.string_dtype())
        store.attrs["content"] = digest.hexdigest()[:16]
    return len(names)


class Pack:
    """A pack opened for reading; use it in a `with` block.

    Attributes:
        names: name of every sample.
        groups: group of every sample, see `GROUPS`.
        covariates: one dict per sample.
        modality: sequence of the images.
        cohort: cohort or test set that the samples belong to.
        split: split that the samples belong to.
        affine: (4, 4), index (I, J, K) = (W, H, S) to world mm.
        content: hash of images, masks and names.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._store = reading(self.path)
        self.names = texts(self._store, "name")
        self.groups = texts(self._store, "group")
        self.covariates = [json.loads(text) for text in texts(self._store, "covariates")]
        self.modality = str(self._store.attrs["modality"])
        self.cohort = str(self._store.attrs["cohort"])
        self.split = str(self._store.attrs["split"])
        self.affine = np.asarray(self._store.attrs["affine"])
        self.content = str(self._store.attrs["content"])

    def __len__(self) -> int:
        return len(self.names)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store.close()

    @property
    def shape(self) -> Shape3:
        """Slices, rows and columns of one volume; (0, 0, 0) for an empty pack."""
        return shape3(self._store["image"].shape[1:]) if len(self) else (0, 0, 0)

    @property
    def spacing_mm(self) -> Vector3:
        """Edge lengths of a voxel along (S, H, W)."""
        return vector3(np.linalg.norm(self.affine[:3, :3], axis=0)[::-1])

    def image(self, index: int) -> np.ndarray:
        """Return the image of a sample, (S, H, W) float32."""
        return self._store["image"][index]

    def brain(self, index: int) -> np.ndarray:
        """Return the brain mask of a sample, (S, H, W) bool."""
        return self._store["brain"][index].astype(bool)

    def lesion(self, index: int) -> np.ndarray:
        """Return the lesion mask of a sample, (S, H, W) bool."""
        return self._store["lesion"][index].astype(bool)

    def marked(self, index: int) -> bool:
        """Return whether the lesions of a sample are known: of a patient without a reference mask they are not."""
        return self.covariates[index].get(REFERENCE) != MISSING

    def sample(self, index: int) -> Sample:
        """Return all data of one sample."""
        return Sample(
            self.names[index],
            self.groups[index],
            self.image(index),
            self.brain(index),
            self.lesion(index),
            self.covariates[index],
        )

    @property
    def subjects(self) -> list[str]:
        """Person that every sample is of; its own name where none is given."""
        return [str(known.get("subject") or name) for known, name in zip(self.covariates, self.names, strict=True)]

    def healthy(self) -> list[int]:
        """Return the indices of the healthy subjects."""
        return [index for index, group in enumerate(self.groups) if group == "healthy"]


@dataclass(frozen=True)
class Prediction:
    """Output of a method for one subject.

    Attributes:
        name: the sample's name in its pack.
        split: the pack's split.
        anomaly_map: (S, H, W), 0 outside the brain.
        reconstruction: (S, H, W) or None.
        seconds: wall time of reconstruction and anomaly map.
        peak_memory_mb: largest memory in use during that time (device memory on a GPU, resident set otherwise).
        flagged_share: share of the brain that the method has changed, of methods that decide about it; else NaN.
    """

    name: str
    split: str
    anomaly_map: np.ndarray
    reconstruction: np.ndarray | None
    seconds: float
    peak_memory_mb: float
    flagged_share: float = np.nan


# Numbers of a prediction that are stored.
NUMBERS = ("seconds", "peak_memory_mb", "flagged_share")


def write_maps(path: str | Path, predictions: Iterator[Prediction], attributes: dict[str, str]) -> int:
    """Write predictions one at a time and return how many there were.

    Maps are stored as float32, so that their ranks survive whatever the scale of their scores, with the list of these
    (`madad.core.score_levels`). Reconstructions, whose intensities lie in [0, 1], are stored as float16.
    """
    columns: dict[str, list] = {key: [] for key in ("name", "split", *NUMBERS)}
    levels = ScoreLevels()
    with creating(path) as store:
        store.attrs.update(attributes)
        for prediction in predictions:
            anomaly_map = within(prediction.anomaly_map, np.float32)
            levels.add(anomaly_map)
            append(store, "anomaly_map", anomaly_map)
            if prediction.reconstruction is not None:
                append(store, "reconstruction", within(prediction.reconstruction, np.float16))
            for key, values in columns.items():
                values.append(getattr(prediction, key))
        for key in ("name", "split"):
            store.create_dataset(key, data=columns[key], dtype=h5py.string_dtype())
        for key in NUMBERS:
            store.create_dataset(key, data=np.asarray(columns[key], dtype=np.float32))
        store.create_dataset("levels", data=levels.listed())
    return len(columns["name"])


class Maps:
    """Stored predictions opened for reading; use it in a `with` block.

    Attributes:
        attributes: cohort, modality, method, seed, test set and fingerprint as text; `content_<split>` of the packs that they
            were computed from.
        seconds: wall time of every sample, (N,) float32.
        peak_memory_mb: peak memory of every sample, (N,) float32.
        flagged_share: share of the brain that the method has changed, (N,) float32, NaN where it does not decide about it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._store = reading(self.path)
        self.names = texts(self._store, "name")
        self.splits = texts(self._store, "split")
        self.seconds = self._store["seconds"][:]
        self.peak_memory_mb = self._store["peak_memory_mb"][:]
        # absent from the files of older versions
        unknown = np.full(len(self.names), np.nan, dtype=np.float32)
        self.flagged_share = self._store["flagged_share"][:] if "flagged_share" in self._store else unknown
        self.attributes = {key: str(value) for key, value in self._store.attrs.items()}
        self._row = {pair: row for row, pair in enumerate(zip(self.splits, self.names, strict=True))}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store.close()

    @property
    def has_reconstruction(self) -> bool:
        """Whether the method makes reconstructions."""
        return "reconstruction" in self._store

    def row(self, split: str, name: str) -> int:
        """Return the row of a sample.

        Raises:
            UserError: there is no map of the sample; the maps are older than the pack.
        """
        try:
            return self._row[split, name]
        except KeyError:
            raise UserError(f"{self.path}: holds no map of {name} ({split}); delete the file and run again") from None

    def anomaly_map(self, row: int) -> np.ndarray:
        """Return the anomaly map of a row, (S, H, W) float32."""
        return self._store["anomaly_map"][row].astype(np.float32)

    @property
    def levels(self) -> np.ndarray:
        """List of the scores in the maps, (n,) float32, see `madad.core.score_levels`.

        Raises:
            UserError: the file was written before such lists were.
        """
        if "levels" not in self._store:
            raise UserError(f"{self.path}: has no list of its scores, an older version wrote it; delete the file and run again")
        return self._store["levels"][:]

    def reconstruction(self, row: int) -> np.ndarray | None:
        """Return the reconstruction of a row, (S, H, W) float32, or None where the method makes none."""
        return self._store["reconstruction"][row].astype(np.float32) if self.has_reconstruction else None
