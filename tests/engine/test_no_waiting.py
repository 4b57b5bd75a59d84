"""A training step never waits for the device: nothing is read from its memory, and what is sent there joins its queue.

The device is torch's `meta`, from whose tensors nothing can be read, so that any attempt is an error.
"""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from madad.configuration import cards
from madad.engine.training import Training
from madad.engine.training_data import Images
from madad.models.components.kl_autoencoder import KLAutoencoder
from tests.conformance.test_methods import SIDE, SLICES, TRAINED, batch, build

META = torch.device("meta")
# Why a step of these waits all the same.
WAITING = {
    "f_anogan": "whose turn it is depends on the number of steps, which is saved with the weights",
    "kl_autoencoder": "the moments of the latents are those of the cells of the brain, whose number is not known before",
    "spark": "the norm is over the visible sites, whose number is not known before",
    "fae": "the norm is over the cells of the brain, as that of spark",
    "itermask2": "masks grow from places in the brain, on the host",
    "synomaly": "shapes are cut to the brain on the host, which finds connected parts",
    "reflect": "walks through the brain's cells are drawn by the host",
    "reflect2": "as reflect",
}


class Waits(TorchDispatchMode):
    """Count copies between host and device that the host waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        given = {leaf.device.type for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        gotten = {leaf.device.type for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor)}
        if given == {"cpu"} and gotten == {"meta"} and not _is_queued(function, args, kwargs or {}):
            self.found.append(str(function))
        return made


def _is_queued(function, args: tuple, kwargs: dict) -> bool:
    named = {argument.name: value for argument, value in zip(function._schema.arguments, args, strict=False)}
    return bool({**named, **kwargs}.get("non_blocking"))


def training(name: str, seed: int = 0) -> Training:
    given = batch(name)
    healthy, brain = given.get("healthy", given["image"]), given["brain"]
    pairs = cards.load(name)["training_data"]["pairs"]
    device = torch.device("cpu") if pairs else META
    images = Images(healthy.to(device), brain.to(device), 1, (SLICES, SIDE, SIDE), "FLAIR", "")
    options = {**cards.tiny_whole(name)["training"], "steps": 2, "batch_size": 2, "precision": "32"}
    method = build(name)
    for part in method.modules():
        if isinstance(part, KLAutoencoder):
            part.encode(torch.zeros(1, 1, *[SIDE] * part.spatial_dims))  # reads once whether it has learned
    return Training(method, images, images, options, seed, META, lesions if pairs else None)


def lesions(image: torch.Tensor, brain: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
    lesion = brain & (torch.arange(SIDE) > 15) & (torch.arange(SIDE) < 20)
    return {"image": image * ~lesion, "healthy": image, "lesion": lesion, "map": lesion.float()}


@pytest.mark.parametrize("name", [name for name in TRAINED if name not in WAITING])
def test_no_step_waits_for_the_device(name: str) -> None:
    run = training(name)
    run.step = 1
    run._advance()  # what is read or sent once
    with Waits() as waits:
        for run.step in (2, 3):
            run._advance()
    assert waits.found == []


@pytest.mark.parametrize("name", WAITING)
def test_exceptions_are_exceptions(name: str) -> None:
    run = training(name)
    run.step = 1
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        run._advance()
