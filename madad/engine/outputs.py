"""The files that a training writes: the model, its history and a record of everything it depends on."""

from __future__ import annotations

import csv
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from madad.core.interfaces import Trainable, conforming
from madad.core.provenance import PACKAGE, complete, content_hash, environment, fingerprint, write_json
from madad.engine import devices
from madad.engine.model_files import save_model
from madad.engine.training_data import Images

COLUMNS = ("step", "loss", "validation_loss", "seconds", "slices_per_s")
# These options cannot change a result, so they may differ between an interrupted run and its continuation.
OPERATIONAL = ("checkpoint_every_s",)


@dataclass(frozen=True)
class Record:
    """Everything that a training depends on.

    Attributes:
        identity: cohort, modality, method, seed as text.
        parameters: hyper-parameters that the weights depend on.
        options: training options.
        parts: fingerprint of the model of every part, by role.
        seed: seed of all random numbers.
        data: content hashes and sizes of the training and validation data.
        image_shape: (S, H, W) of a volume.
        parameter_count: number of weights, including those of the parts.
        initial_weights: where the weights at the start are from; None for random ones.
        fingerprint: hash of everything above and of the code.
    """

    identity: dict
    parameters: dict
    options: dict
    parts: dict
    seed: int
    data: dict
    image_shape: list[int]
    parameter_count: int
    initial_weights: dict | None
    fingerprint: str

    @classmethod
    def of(
        cls,
        method: nn.Module,
        options: dict,
        identity: dict,
        parts: dict,
        seed: int,
        data: Images,
        validation: Images,
        initial_weights: dict | None = None,
    ) -> Self:
        """Return the record of a training that is about to start."""
        facts = {
            "identity": dict(identity),
            "parameters": dict(conforming(method, Trainable).trained_with),
            "options": dict(options),
            "parts": dict(parts),
            "seed": seed,
            "data": {"training": _summary(data), "validation": _summary(validation)},
            "image_shape": list(data.volume_shape if len(data) else validation.volume_shape),
            "parameter_count": sum(weight.numel() for weight in method.parameters()),
            "initial_weights": initial_weights,
        }
        lasting = {**facts, "options": {key: value for key, value in options.items() if key not in OPERATIONAL}}
        # The registry is named, not imported: the engine knows no method.
        modules = {type(method).__module__, "madad.engine.training", "madad.methods.registry"}
        code = fingerprint(*sorted(module for module in modules if module.startswith(f"{PACKAGE}.")))
        return cls(**facts, fingerprint=content_hash({**lasting, "code": code}))

    def metadata(self) -> dict:
        """Return the metadata of the model file, which inference compares with what it expects."""
        return {
            "method": self.identity["method"],
            "modality": self.identity["modality"],
            "parameters": self.parameters,
            "image_shape": self.image_shape,
            "cohort": self.identity["cohort"],
            "seed": self.seed,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True)
class Outcome:
    """Result of a training; the defaults are those of a method with nothing to learn.

    Attributes:
        weights: the weights that are saved.
        history: one row of `COLUMNS` per validation.
        best_step: step of the saved weights.
        best_validation_loss: validation loss of the saved weights.
        seconds: time spent training.
        channels: whether its 2D convolutions had the channels "first" or "last" in memory; None if nothing was trained.
    """

    weights: dict[str, Tensor]
    history: list[dict] = field(default_factory=list)
    best_step: int = 0
    best_validation_loss: float = math.nan
    seconds: float = 0.0
    channels: str | None = None


def write_outputs(run: Path, record: Record, outcome: Outcome, device: torch.device) -> None:
    """Write the model, its history and finally `train.json`."""
    steps = outcome.history[-1]["step"] if outcome.history else 0
    save_model(run / "model.safetensors", outcome.weights, {**record.metadata(), "steps": steps})
    with complete(run / "history.csv") as partial, open(partial, "w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _text(row[key]) for key in COLUMNS} for row in outcome.history)
    summary = {
        "steps": steps,
        "best_step": outcome.best_step,
        "best_validation_loss": outcome.best_validation_loss if math.isfinite(outcome.best_validation_loss) else None,
        "seconds": round(outcome.seconds, 3),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "precision": "bf16" if devices.uses_bfloat16(record.options.get("precision", "32"), device) else "32",
        "channels": outcome.channels,
        "peak_memory_mb": round(devices.peak_memory_mb(device), 1),
        "environment": environment(),
    }
    write_json(run / "train.json", {**asdict(record), **summary})


def _summary(images: Images) -> dict:
    return {"content": images.content, "subjects": images.subjects, "images": len(images)}


def _text(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.9g}" if math.isfinite(value) else ""
