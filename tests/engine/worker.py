"""A training in a process of its own, to be killed: `python worker.py FOLDER STEPS`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from madad.engine.training import train
from tests.engine import toy


class Slow(toy.Denoiser):
    """Slow enough to be met in the middle."""

    def training_loss(self, batch: dict, generator: torch.Generator) -> dict[str, torch.Tensor]:
        time.sleep(0.02)
        return super().training_loss(batch, generator)


def run(folder: Path, method: torch.nn.Module, steps: int, where: str = "run") -> None:
    """Train on the packs in a folder, with a checkpoint after every step."""
    train(
        method,
        train_pack=folder / "train.h5",
        validation_pack=folder / "validation.h5",
        options={**toy.OPTIONS, "steps": steps, "checkpoint_every_s": 0.0},
        identity=toy.IDENTITY,
        parts={},
        seed=0,
        run=folder / where,
        checkpoints=folder / f"{where}-checkpoints",
        device="cpu",
    )


if __name__ == "__main__":
    torch.manual_seed(0)
    run(Path(sys.argv[1]), Slow(), int(sys.argv[2]))
