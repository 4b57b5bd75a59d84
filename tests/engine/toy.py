"""A method with two layers and packs of a few voxels, so that the engine is tested without any published method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from madad.core.io.hdf5 import Sample, write_pack
from madad.core.seeds import numpy_generator

SHAPE = (6, 16, 16)
IDENTITY = {"cohort": "toy", "modality": "FLAIR", "method": "denoiser", "seed": "0"}
OPTIONS = {
    "steps": 12,
    "batch_size": 4,
    "learning_rate": 1e-2,
    "optimiser": "adam",
    "weight_decay": 0.0,
    "ema_decay": 0.9,
    "gradient_clip": 1.0,
    "validate_every": 5,
    "checkpoint_every_s": 1000.0,
    "precision": "32",
}


class Denoiser(nn.Module):
    """Removes Gaussian noise; dropout, a norm with counters and a generator make it as hard to resume as anything."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.Dropout(0.2), nn.ReLU(), nn.Conv2d(width, 1, 1)
        )
        self.hyperparameters = self.trained_with = {"width": width}

    def training_loss(self, batch: dict, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"loss": (self._denoise(batch["image"], generator) - batch["image"]).abs().mean()}

    def reconstruct(self, volume: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return self._denoise(volume, generator)

    def anomaly_map(
        self, volume: torch.Tensor, reconstruction: torch.Tensor, brain: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        return (volume - reconstruction).abs()[:, 0] * brain

    def _denoise(self, image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return self.layers(image + 0.1 * torch.randn(image.shape, generator=generator).to(image))


class Nothing(nn.Module):
    """A method with nothing to learn."""

    def __init__(self) -> None:
        super().__init__()
        self.hyperparameters = self.trained_with = {}

    def training_loss(self, batch: dict, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"loss": torch.zeros(())}

    def reconstruct(self, volume: torch.Tensor, generator: torch.Generator) -> None:
        return None

    def anomaly_map(
        self, volume: torch.Tensor, reconstruction: None, brain: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        return volume[:, 0] * brain


def denoiser(seed: int = 0) -> Denoiser:
    """Return a denoiser whose initial weights depend on the seed."""
    torch.manual_seed(seed)
    return Denoiser()


def sample(name: str, group: str = "healthy") -> Sample:
    """Return a bright disc with texture; the first and last slice contain no brain, and lesions are a block."""
    z, y, x = np.indices(SHAPE)
    brain = ((y - 8) ** 2 + (x - 8) ** 2 < 36) & (z > 0) & (z < SHAPE[0] - 1)
    image = brain * (0.5 + 0.1 * numpy_generator(name).standard_normal(SHAPE))
    lesion = brain & (x > 9) & (y > 9) & (group != "healthy")
    return Sample(name, group, image.astype(np.float32), brain, lesion)


def write(path: Path, names: list[str], split: str, group: str = "healthy", modality: str = "FLAIR") -> Path:
    """Write a pack of samples."""
    write_pack(path, (sample(name, group) for name in names), affine=np.eye(4), modality=modality, cohort="toy", split=split)
    return path


def packs(folder: Path) -> dict[str, Path]:
    """Training and validation packs, as keywords of `train`."""
    return {
        "train_pack": write(folder / "train.h5", ["sub-1", "sub-2", "sub-3"], "train"),
        "validation_pack": write(folder / "validation.h5", ["sub-4"], "validation"),
    }
