"""A test of the parts together, within seconds: a tiny network learns a step, and the map of a bright ball is scored."""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.core.interfaces import Batch, Method, Trainable, conforming
from madad.core.seeds import torch_generator
from madad.detection import scoring
from madad.engine.inference import apply
from madad.methods import registry

# A network that is small, and a method that finds what is bright without any training.
LEARNING, FINDING = "dae", "intensity"
# A sequence whose lesions are bright.
BRIGHT = "FLAIR"
SIDE, BRAIN, LESION = 32, 12, 3


def run() -> str:
    """Return one line that says on which devices the parts work, and how long that took.

    Raises:
        UserError: a device that PyTorch names computes something wrong.
    """
    begun = time.perf_counter()
    devices = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    image, brain, lesion = _ball()
    for device in devices:
        _check(image, brain, lesion, torch.device(device))
    return f"a network learns and a lesion is found on {', '.join(devices)} ({time.perf_counter() - begun:.1f} s)"


def _check(image: np.ndarray, brain: np.ndarray, lesion: np.ndarray, device: torch.device) -> None:
    loss = _loss_after_a_step(image, brain, device)
    finding = registry.assemble(cards.tiny_whole(FINDING, BRIGHT), 0).to(device).eval()
    found = apply(conforming(finding, Method), image, brain, 0, "self-test", device).anomaly_map
    precision = scoring.average_precision(lesion[brain], found[brain])
    if not math.isfinite(loss) or not precision > 0.99:
        raise UserError(
            f"self-test: on {device} the loss is {loss:g} and the average precision of a lesion {precision:.2f} instead "
            "of 1; reinstall torch for this machine, or compute on another device (MADAD_DEVICE=cpu)"
        )


def _loss_after_a_step(image: np.ndarray, brain: np.ndarray, device: torch.device) -> float:
    network = registry.assemble(cards.tiny_whole(LEARNING), 0).to(device).train()
    learner = conforming(network, Trainable)
    optimiser = torch.optim.Adam(network.parameters())
    batch: Batch = {"image": torch.from_numpy(image)[:, None].to(device), "brain": torch.from_numpy(brain)[:, None].to(device)}
    loss = torch.zeros(())
    for step in range(2):
        loss = learner.training_loss(batch, torch_generator(0, "self-test", step))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


def _ball() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a brain with a bright lesion, its mask and the lesion's, each (S, H, W)."""
    axes = np.meshgrid(*[np.arange(SIDE) - SIDE // 2] * 3, indexing="ij")
    distance = np.sqrt(sum(axis.astype(np.float32) ** 2 for axis in axes))
    brain, lesion = distance < BRAIN, distance < LESION
    texture = 0.4 + 0.1 * np.sin(axes[0] / 3) * np.cos(axes[1] / 2)
    return np.where(lesion, 0.9, texture * brain).astype(np.float32), brain, lesion
