"""Toy test sets in a folder: packs of noise with a bright cube, and maps that know it or do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from madad.core.io.hdf5 import Prediction, Sample, write_maps, write_pack
from madad.evaluation.protocol.run import evaluate
from madad.evaluation.results.long_table import read

AFFINE = np.diag([2.0, 2, 2, 1])
IDENTITY = {"cohort": "toy", "modality": "T1w", "testset": "toy", "method": "ddpm", "seed": "3"}
OPTIONS = {"erosion": 1, "median": 3, "min_component": 2, "bootstrap": 100}
PLAIN = {"erosion": 0, "median": 0, "min_component": 0, "bootstrap": 100}
SHAPE = (8, 14, 12)
BRAIN = np.zeros(SHAPE, dtype=bool)
BRAIN[1:7, 1:13, 1:11] = True


def subject(split: str, number: int, group: str) -> Sample:
    """A subject of noise; those who are not healthy carry a bright cube."""
    generator = np.random.default_rng([len(split), number])
    lesion = np.zeros(SHAPE, dtype=bool)
    if group != "healthy":
        lesion[3:6, 4:8, 4:8] = True
    image = np.where(BRAIN, 0.3 + 0.2 * generator.random(SHAPE), 0).astype(np.float32)
    return Sample(f"sub-{number}", group, image, BRAIN, lesion, {"subject": f"sub-{number % 3}"})


def predicted(
    sample: Sample, split: str, *, perfect: bool = False, reconstructs: bool = True, flagged_share: float = np.nan
) -> Prediction:
    """A map that knows the lesion, with noise or without."""
    noise = np.random.default_rng(len(sample.name)).random(SHAPE)
    scores = np.where(BRAIN, sample.lesion if perfect else noise + 0.4 * sample.lesion, 0)
    return Prediction(sample.name, split, scores, sample.image * 0.9 if reconstructs else None, 1.5, 100.0, flagged_share)


class Case:
    """Packs and maps of a toy test set in a folder."""

    def __init__(self, folder: Path, groups: dict[str, list[str]], **options: bool) -> None:
        self.out = folder / "metrics.tsv"
        self.maps = folder / "maps.h5"
        self.samples = {s: [subject(s, i, group) for i, group in enumerate(groups[s])] for s in groups}
        self.packs = [folder / f"{split}.h5" for split in groups]
        self.write_packs()
        write_maps(self.maps, self._predictions(**options), IDENTITY)

    def write_packs(self, affine: np.ndarray = AFFINE) -> None:
        for path, (split, samples) in zip(self.packs, self.samples.items(), strict=True):
            write_pack(path, iter(samples), affine=affine, modality="T1w", cohort="toy", split=split)

    def write_maps(self, scores: Callable[[Sample], np.ndarray], attributes: dict = IDENTITY) -> None:
        """Other maps than those of the class, without reconstructions."""
        pairs = [(split, sample) for split, samples in self.samples.items() for sample in samples]
        write_maps(self.maps, (Prediction(s.name, split, scores(s), None, 1.0, 1.0) for split, s in pairs), attributes)

    def _predictions(self, **options: bool) -> Iterator[Prediction]:
        for split, samples in self.samples.items():
            yield from (predicted(sample, split, **options) for sample in samples)

    def rows(self, options: dict = OPTIONS, **more: object) -> list[dict[str, str]]:
        evaluate(self.maps, self.packs, options, IDENTITY, self.out, **more)
        return read(self.out)

    def values(self, metric: str, protocol: str, options: dict = OPTIONS, **more: object) -> dict[str, float]:
        rows = self.rows(options, **more)
        return {row["sample"]: float(row["value"]) for row in rows if (row["metric"], row["protocol"]) == (metric, protocol)}


FULL = {"validation": ["healthy", "patient"], "test": ["healthy", "healthy", "patient", "patient"]}
