"""A number by which a bundled model is recognised: its loss on a few made images, recorded when it was bundled.

The images are no brains; that the number stays says that the code still reads the weights and computes the same with them.
How good the model was on its validation images is recorded beside it (`metrics`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional

from madad.configuration import cards
from madad.core.errors import UserError
from madad.core.interfaces import Batch, Trainable
from madad.core.io import model_archive
from madad.core.seeds import torch_generator
from madad.engine.initial_weights import InitialWeights
from madad.engine.model_files import load_weights
from madad.methods import registry

IMAGES = 2
# In half precision, and with other numbers of threads, a loss changes by less.
TOLERANCE = 0.002


@torch.no_grad()
def loss(method: nn.Module, shape: Sequence[int]) -> float:
    """Return the loss of a method in evaluation on made images.

    Args:
        method: with its weights.
        shape: (S, H, W) of a training image, or (H, W) for methods on slices.
    """
    value = cast(Trainable, method.eval()).training_loss(_batch(tuple(shape)), torch_generator("bundle check", "noise"))["loss"]
    return float(value)


def image_sides(options: dict[str, Any], shape: Sequence[int]) -> list[int]:
    """Return the sides of a training image: those of a volume (S, H, W), or of its slices."""
    volumes = cards.shown(options["base"], options["parameters"])["kind"] == "volumes"
    return list(shape if volumes else shape[1:])


def rebuilt(path: Path, others: Sequence[Path]) -> nn.Module:
    """Return the method of a bundled model with its weights, and those of its parts from the other files.

    Raises:
        UserError: a part that the weights work on is among none of the files.
    """
    about = model_archive.read_start(path)
    known = {model_archive.read_start(other)["weights"]["fingerprint"]: other for other in others}

    def prepare(role: str, part: nn.Module) -> None:
        fingerprint = about["weights"]["parts"].get(role)
        if fingerprint is None:  # the weights do not work on it
            return
        if fingerprint not in known:
            raise UserError(f"{path}: the model of its {role} is not among the bundled ones; bundle both from the same results")
        load_weights(part, _float(known[fingerprint]))

    method = registry.assemble(with_new_settings(about["build"], about["modality"]), int(about["seed"]), prepare)
    InitialWeights(_float(path), {"file": path.name}).load(method)
    return method


def with_new_settings(options: dict[str, Any], modality: str) -> dict[str, Any]:
    """Return what a method is built from, with the defaults of settings that its card did not have when it was bundled."""
    parts = {role: {**part, **with_new_settings(part, modality)} for role, part in options["parts"].items()}
    complete = cards.resolve(options["base"], options["parameters"], {}, modality)["parameters"]
    return {**options, "parameters": complete, "parts": parts}


def _float(path: Path) -> dict[str, Tensor]:
    weights = load(model_archive.read_weights(path))
    return {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}


def _batch(shape: tuple[int, ...]) -> Batch:
    """Return discs with smooth texture, half of them with a bright block, and the same without."""
    axes = [torch.linspace(-1, 1, side) for side in shape]
    radius = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0).sqrt()
    brain = (radius < 0.8).expand(IMAGES, 1, *shape)
    noise = torch.rand(IMAGES, 1, *[max(side // 8, 2) for side in shape], generator=torch_generator("bundle check"))
    texture = functional.interpolate(noise, shape, mode="trilinear" if len(shape) == 3 else "bilinear")
    healthy = (0.2 + 0.5 * texture) * brain
    lesion = (radius < 0.2).expand_as(brain) & (torch.arange(IMAGES) % 2 == 1).view(-1, *[1] * (len(shape) + 1))
    image = torch.where(lesion, healthy + 0.3, healthy)
    return {"image": image, "brain": brain, "healthy": healthy, "lesion": lesion, "map": lesion.float()}
