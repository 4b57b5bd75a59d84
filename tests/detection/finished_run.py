"""The results of a small run: `atlas_z` fitted to noisy copies of the template, evaluated on copies with a dark ball."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from madad.configuration import settings
from madad.core.io.hdf5 import Pack, Prediction, Sample, write_maps, write_pack
from madad.core.io.manifest import write_table
from madad.core.provenance import write_json
from madad.data import template
from madad.data.preprocessing import quality_control
from madad.data.preprocessing.steps import intensity
from madad.engine.model_files import save_model
from madad.evaluation.results.long_table import WHOLE_TEST_SET, LongTable
from madad.methods import registry

SPACING_MM = 6.0
IDENTITY = {"cohort": "mine", "modality": "T1w", "method": "atlas_z", "seed": "0"}
INTENSITY = {"method": "percentile", "lower": 1.0, "upper": 99.0}
RAW = {
    "brain_volume_ml": 1500,
    "registration_nmi": 1.3,
    "template_dice": 0.95,
    "intensity_p1": 20,
    "intensity_p25": 60,
    "intensity_p50": 80,
    "intensity_p75": 95,
    "intensity_p99": 120,
}


@dataclass(frozen=True)
class FinishedRun:
    """Where its files lie.

    Attributes:
        results: the folder `results`.
    """

    results: Path

    @property
    def folder(self) -> Path:
        return self.results / "runs/mine/T1w/atlas_z/seed0"

    @property
    def validation(self) -> Path:
        return self.results / "packs/mine/T1w/validation.h5"


def make(folder: Path) -> FinishedRun:
    """Write everything that an export reads."""
    run, config = FinishedRun(folder / "results"), configuration(folder)
    write_json(run.results / "provenance.json", {"configuration": config, "environment": {}})
    write_json(run.results / "intensity/standard/T1w.json", INTENSITY)
    for split, groups in (("train", ["healthy"] * 6), ("validation", ["healthy", "patient", "patient"])):
        path = run.results / f"packs/mine/T1w/{split}.h5"
        grid = template.template_on_grid(SPACING_MM)
        write_pack(path, brains(split, groups), affine=grid.t1w.affine, modality="T1w", cohort="mine", split=split)
    rows = [
        {key: "" for key in quality_control.COLUMNS}
        | {key: f"{value * (1 + 0.01 * number)}" for key, value in RAW.items()}
        | {"split": "train", "modality": "T1w", "group": "healthy", "verdict": "ok", "path": "/no/longer/there.nii.gz"}
        for number in range(6)
    ]
    write_table(run.results / "quality/mine/standard.tsv", rows, quality_control.COLUMNS)
    _train(run, config["methods"]["atlas_z"]["options"]["T1w"])
    _evaluate(run)
    return run


def configuration(folder: Path) -> dict:
    (folder / "bids/sub-01").mkdir(parents=True, exist_ok=True)
    (folder / "bids/sub-01/sub-01_T1w.nii.gz").touch()
    return settings.resolve(
        {
            "preset": "smoke",
            "cohorts": {"mine": {"kind": "bids", "root": str(folder / "bids"), "skull_strip": "none", "modalities": ["T1w"]}},
            "train_on": ["mine"],
            "test_on": ["mine"],
            "modalities": ["T1w"],
            "pipelines": {"standard": {"spacing_mm": SPACING_MM, "bias_field": "none"}},
            "methods": ["atlas_z"],
        }
    )


def brains(split: str, groups: list[str]) -> Iterator[Sample]:
    """Noisy copies of the template; patients have a dark ball."""
    grid = template.template_on_grid(SPACING_MM)
    image, brain = grid.t1w.array.transpose(2, 1, 0), grid.brain.array.transpose(2, 1, 0) > 0
    for number, group in enumerate(groups):
        generator = np.random.default_rng([len(split), number])
        lesion = np.zeros(image.shape, dtype=bool)
        if group == "patient":
            lesion[12:16, 14:18, 10:14] = True
        noisy = np.clip(image + 0.03 * generator.standard_normal(image.shape), 0, 1) * brain
        normalised = intensity.apply(INTENSITY, np.where(lesion, 0.1, noisy), brain)
        name = f"sub-{split}{number}"
        yield Sample(name, group, normalised, brain, lesion & brain, {"subject": name})


def _train(run: FinishedRun, options: dict) -> None:
    method = registry.assemble(options, 0)
    with Pack(run.results / "packs/mine/T1w/train.h5") as pack:
        data = [{"image": torch.from_numpy(pack.image(index))[None, None]} for index in range(len(pack))]
        shape = list(pack.shape)
    method.fit(data, torch.Generator())
    metadata = {"method": "atlas_z", "modality": "T1w", "parameters": method.trained_with, "image_shape": shape}
    metadata |= {"cohort": "mine", "seed": 0, "fingerprint": "f00d"}
    save_model(run.folder / "model.safetensors", dict(method.state_dict()), metadata)
    record = {"identity": IDENTITY, "parameters": method.trained_with, "image_shape": shape, "fingerprint": "f00d"}
    rest = {"parameter_count": 0, "steps": 0, "best_step": 0, "best_validation_loss": None, "environment": {"commit": "c0ffee"}}
    write_json(run.folder / "train.json", {**record, **rest})


def _evaluate(run: FinishedRun) -> None:
    """Maps of the validation pack, and thresholds."""

    def predictions() -> Iterator[Prediction]:
        with Pack(run.validation) as pack:
            for index, name in enumerate(pack.names):
                yield Prediction(name, "validation", np.where(pack.lesion(index), 9.0, 1.0) * pack.brain(index), None, 1.0, 1.0)

    write_maps(run.folder / "eval/mine/maps.h5", predictions(), {**IDENTITY, "testset": "mine"})
    table = LongTable({**IDENTITY, "testset": "mine"})
    for protocol, value in (("oracle_test", 9.5), ("validation", 6.0), ("healthy_fpr_1", 2.0), ("conformal_fpr_1", float("nan"))):
        table.add(WHOLE_TEST_SET, protocol, "threshold", value)
    table.write(run.folder / "eval/mine/metrics.tsv")


def about(file: Path) -> dict:
    """The description in a model file, read without the code under test."""
    import zipfile

    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("model.json"))
