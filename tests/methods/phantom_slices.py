"""Small slices of heads with a rim, a core and a ventricle: enough to see whether a method learns what is normal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from madad.core.seeds import torch_generator

SIDE = 32
ROW, COLUMN = torch.meshgrid(torch.arange(SIDE) - 15.5, torch.arange(SIDE) - 15.5, indexing="ij")


@dataclass(frozen=True)
class Heads:
    """Slices (N, 1, H, W): healthy, the same with a lesion, and where brain and lesion are."""

    healthy: Tensor
    lesioned: Tensor
    brain: Tensor
    lesion: Tensor


def ellipse(y: float, x: float, height: float, width: float) -> Tensor:
    return ((ROW - y) / height) ** 2 + ((COLUMN - x) / width) ** 2 < 1


def heads(number: int, name: str) -> Heads:
    """Grey rim, white core and black ventricle, at levels of each subject's own; a lesion is white matter gone black."""
    generator = torch_generator("family", name)
    slices = []
    for _ in range(number):
        height, width, grey, white, y, x = (torch.rand(6, generator=generator) * torch.tensor([2, 2, 0.4, 0.3, 8, 8])).tolist()
        brain, core = ellipse(0, 0, 12.5 + height, 10 + width), ellipse(0, 0, 8.5 + height, 6.5 + width)
        healthy = (grey + 0.15) * brain + (white + 0.15) * core
        healthy[ellipse(0, 0, 3.5, 1.6)] = 0.05
        lesion = ellipse(y - 4, (x - 4) * 0.7, 2.5, 2.5) & core & ~ellipse(0, 0, 4.5, 2.6)
        slices.append((healthy, torch.where(lesion, 0.05, healthy), brain, lesion))
    return Heads(*(torch.stack(part).unsqueeze(1) for part in zip(*slices, strict=True)))


def taught(method: torch.nn.Module, data: Heads, *, steps: int, batch: int, learning_rate: float) -> torch.nn.Module:
    """Train a method for some steps on healthy slices and return it, ready to be tested."""
    method.train()
    optimiser = torch.optim.Adam(method.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps)
    for step in range(steps):
        rows = torch.randint(len(data.healthy), (batch,), generator=torch_generator("slices", step))
        shown = {"image": data.healthy[rows], "brain": data.brain[rows]}
        method.training_loss(shown, torch_generator("loss", step))["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
    return method.eval()
