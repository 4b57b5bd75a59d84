"""A small results tree as the pipeline leaves it, made of noise: packs, maps, long tables, histories and shard tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import image as picture
from scipy import ndimage

from madad.core.io.hdf5 import Pack, Prediction, Sample, write_maps, write_pack
from madad.core.io.manifest import COLUMNS, write_table
from madad.core.seeds import numpy_generator
from madad.evaluation.protocol.run import evaluate

OPTIONS = {"erosion": 1, "median": 3, "min_component": 2, "bootstrap": 200}
# Contrast of lesions in the map, and blur of the reconstruction: what makes one toy method better than another.
METHODS = {"intensity": (1.2, None), "ddpm": (2.5, 1.0)}
PUBLISHED = {"ddpm": "behrendt"}
QUALITY = ("brain_volume_ml", "template_dice", "reference_dice", "registration_nmi", "intensity_p50", "lesion_ml", "seconds")


@dataclass(frozen=True)
class Toy:
    """Where things lie, as the rules would say it."""

    root: Path
    modality: str = "FLAIR"
    testsets: tuple[str, ...] = ("phantom", "phantom-implanted")
    seeds: tuple[str, ...] = ("0", "1")

    def runs(self) -> list[dict[str, str]]:
        """Every training."""
        shared = {"cohort": "phantom", "modality": self.modality}
        return [{**shared, "method": method, "seed": seed} for method in METHODS for seed in self.seeds]

    def evaluations(self) -> list[dict[str, str]]:
        """Every evaluation."""
        return [{**run, "testset": testset} for run in self.runs() for testset in self.testsets]

    def run(self, name: str, **identity: str) -> Path:
        """A file of a run."""
        return self.root / "results/runs/{cohort}/{modality}/{method}/seed{seed}".format(**identity) / name

    def evaluation(self, name: str, **identity: str) -> Path:
        """A file of an evaluation."""
        return self.run(f"eval/{identity['testset']}/{name}", **identity)

    def packs(self, testset: str) -> list[Path]:
        """Validation and test pack."""
        return [self.root / f"results/packs/{testset}/{self.modality}/{split}.h5" for split in ("validation", "test")]


def ellipsoid(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A head-like image in [0, 1] and its brain mask, (S, H, W)."""
    axes = np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2
    radius = np.sqrt(((axes / (np.array(shape)[:, None, None, None] * [[[[0.45]]], [[[0.46]]], [[[0.4]]]])) ** 2).sum(axis=0))
    brain = radius < 1
    return np.where(brain, 0.6 - 0.3 * (radius > 0.85) - 0.4 * (radius < 0.2), 0).astype(np.float32), brain


def build(root: Path, image: np.ndarray, brain: np.ndarray, *, subjects: int = 4, spacing_mm: float = 3.0) -> Toy:
    """Write the whole tree below `root`.

    Args:
        image, brain: (S, H, W), the head that every subject varies.
        subjects: healthy ones a split; there are as many patients.
    """
    toy = Toy(root)
    affine = np.diag([spacing_mm] * 3 + [1.0])
    for testset in toy.testsets:
        for path in toy.packs(testset):
            samples = _samples(testset, path.stem, image, brain, subjects)
            write_pack(path, samples, affine=affine, modality=toy.modality, cohort=testset, split=path.stem)
    for identity in toy.evaluations():
        maps = toy.evaluation("maps.h5", **identity)
        write_maps(maps, _predictions(toy.packs(identity["testset"]), **identity), identity)
        options = {**OPTIONS, "published": PUBLISHED.get(identity["method"])}
        evaluate(maps, toy.packs(identity["testset"]), options, identity, toy.evaluation("metrics.tsv", **identity))
    for run in toy.runs():
        _training(toy, run)
    _quality(toy, image, brain, subjects)
    environment = {"python": "3.11", "commit": "0123abc", "uncommitted changes": "no"}
    (root / "results/provenance.json").write_text(
        json.dumps({"environment": environment, "configuration": {"preset": "toy", "seeds": [0, 1]}})
    )
    return toy


def _samples(testset: str, split: str, image: np.ndarray, brain: np.ndarray, subjects: int) -> Iterator[Sample]:
    implanted = testset.endswith("implanted")
    for number in range(2 * subjects):
        healthy = number < subjects
        subject = f"sub-{split[0]}{number % subjects if implanted else number:02d}"
        generator = numpy_generator("toy", testset, split, number)
        own = image * (1 + 0.1 * ndimage.gaussian_filter(generator.standard_normal(image.shape), 2)) + 0.01
        lesion = np.zeros_like(brain) if healthy else _blob(brain, generator)
        own = np.where(brain, np.clip(own + 0.25 * lesion, 0, 1), 0)
        group = "healthy" if healthy else "implanted" if implanted else "patient"
        name = f"{subject}_lesion-01" if group == "implanted" else subject
        yield Sample(name, group, own.astype(np.float32), brain, lesion, {"subject": subject, "age": 40.0 + number})


def _blob(brain: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    inner = np.argwhere(ndimage.binary_erosion(brain, iterations=3))
    centre = inner[generator.integers(len(inner))]
    distance = np.sqrt(((np.indices(brain.shape) - centre[:, None, None, None]) ** 2).sum(axis=0))
    wobble = ndimage.gaussian_filter(generator.standard_normal(brain.shape), 2) * 4
    return (distance + wobble < generator.uniform(2.5, 5.0)) & brain


def _predictions(packs: list[Path], *, method: str, seed: str, testset: str, **_: str) -> Iterator[Prediction]:
    contrast, blur = METHODS[method]
    for path in packs:
        with Pack(path) as pack:
            for index, name in enumerate(pack.names):
                generator = numpy_generator("toy map", method, seed, testset, path.stem, index)
                sample = pack.sample(index)
                noise = np.abs(ndimage.gaussian_filter(generator.standard_normal(sample.image.shape), 1)) * 0.25
                strength = contrast * generator.uniform(0.3, 1.0)
                scores = np.where(sample.brain, noise + 0.1 * strength * ndimage.gaussian_filter(sample.lesion * 1.0, 1), 0)
                restored = None if blur is None else np.where(sample.brain, ndimage.gaussian_filter(sample.image, blur), 0)
                yield Prediction(name, path.stem, scores, restored, 0.5 if blur is None else 4.0 + 0.1 * index, 900.0)


def _training(toy: Toy, run: dict[str, str]) -> None:
    trained = run["method"] == "ddpm"
    steps = np.arange(50, 2001, 50)
    generator = numpy_generator("toy history", run["method"], run["seed"])
    rows = []
    for step in steps if trained else []:
        loss = 0.3 * np.exp(-step / 400) + 0.05 + 0.01 * generator.standard_normal()
        rows.append(
            {"step": str(step), "loss": f"{loss:.5f}", "validation_loss": f"{loss + 0.01:.5f}" if step % 100 == 0 else ""}
        )
    path = toy.run("history.csv", **run)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["step,loss,validation_loss"] + [",".join(row.values()) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    info = {"identity": run, "parameter_count": 1_234_567 * trained, "seconds": 321.0 * trained, "device_name": "cpu"}
    toy.run("train.json", **run).write_text(json.dumps(info))


def _quality(toy: Toy, image: np.ndarray, brain: np.ndarray, subjects: int) -> None:
    folder = toy.root / "results/preprocessed/phantom/standard"
    middle = image.shape[0] // 2
    rows = []
    for number in range(4 * subjects):
        name = f"sub-{number:02d}"
        png = folder / "subjects" / name / "qc.png"
        png.parent.mkdir(parents=True, exist_ok=True)
        strip = np.concatenate([image[middle + shift, ::-1] for shift in (-3, 0, 3)], axis=1)
        picture.imsave(png, np.repeat(np.repeat(strip, 3, 0), 3, 1), cmap="gray", vmin=0, vmax=1, metadata={"Software": None})
        generator = numpy_generator("toy quality", number)
        status, why = ("failed", "n4: no voxel left") if number == 1 else ("ok", "")
        spread = generator.standard_normal(6)
        values = [1400 + 90 * spread[0], *(np.array([0.95, 0.94, 1.2, 0.5]) + 0.01 * spread[1:5]), 0.0, 12 + spread[5]]
        rows.append(
            {
                "subject": name,
                "split": "train",
                "group": "healthy",
                "modality": toy.modality,
                "status": status,
                "reason": why,
                "verdict": "failed" if status == "failed" else "flagged" if number == 2 else "ok",
                "verdict_reason": why or ("brain volume is low" if number == 2 else ""),
                "picture": "" if status == "failed" else str(png),
                **{key: "" if status == "failed" else f"{value:.4g}" for key, value in zip(QUALITY, values, strict=True)},
            }
        )
    columns = (*COLUMNS, "status", "reason", "image", "picture", *QUALITY, "verdict", "verdict_reason")
    write_table(toy.root / "results/quality/phantom/standard.tsv", rows, columns)
    excluded = [{"subject": "sub-99", "path": "sub-99/anat/sub-99_FLAIR.nii.gz", "reason": "the file is truncated"}]
    write_table(toy.root / "results/cohorts/phantom/excluded.tsv", excluded, ("subject", "path", "reason"))
