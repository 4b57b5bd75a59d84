"""Weights of a residual network that was trained elsewhere, for the encoder of this project.

The layout is that of torchvision and timm, whose names MONAI shares. A network of colour images is turned into one of grey ones:
grey values stand in all three channels, scaled as in its training, and both are folded into the first layer.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from madad.core.errors import UserError
from madad.models.networks.resnet import LAST_LAYER, ResNetEncoder

# of the photographs of ImageNet, red, green, blue, by which torchvision and timm scale
COLOUR_MEAN, COLOUR_SD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
PREFIXES = ("encoder.", "model.", "backbone.")
UNUSED = "num_batches_tracked"


def read(path: str, key: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by their names, without a prefix that all encoder layers share.

    Args:
        path: of the file, from the working directory.
        key: setting that names it, for errors.

    Raises:
        UserError: no path, no such file, or a file of another kind.
    """
    if not path:
        raise UserError(f"{key}: names no file; give the path of a .safetensors file with the weights of a residual network")
    if not Path(path).is_file():
        raise UserError(f"{key}: there is no file {path} (from {Path.cwd()}); nothing is downloaded, so put the weights there")
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise UserError(
            f"{key}: {path} is no safetensors file ({error}); convert it with safetensors.torch.save_file, as files of pickled "
            "objects are not read"
        ) from error
    for prefix in PREFIXES:
        if f"{prefix}conv1.weight" in weights:
            return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
    return weights


def adopt(encoder: ResNetEncoder, weights: dict[str, Tensor], key: str) -> None:
    """Load the weights into the encoder; stages that it lacks and the last linear layer are left out.

    Raises:
        UserError: weights that the file lacks, or of another shape.
    """
    given = grey(weights)
    wanted = {name: tensor for name, tensor in encoder.state_dict().items() if not name.startswith(LAST_LAYER)}
    missing = [name for name in wanted if name not in given and not name.endswith(UNUSED)]
    odd = [name for name in wanted if name in given and given[name].shape != wanted[name].shape]
    if missing or odd:
        first = f"lacks {missing[0]}" if missing else _other_shape(odd[0], given, wanted)
        raise UserError(
            f"{key}: the file {first} ({len(missing)} missing, {len(odd)} of another shape); set encoder_depth, encoder_width "
            "and encoder_stages to those of its network, a ResNet-18 or ResNet-50 in the layout of torchvision or timm"
        )
    encoder.load_state_dict({**encoder.state_dict(), **{name: given.get(name, tensor) for name, tensor in wanted.items()}})


def grey(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a network that answers to x as the given one does to (x - mean) / sd in three channels.

    At the border of an image the padding counts as black. A network of one channel stays as it is.
    """
    first = weights.get("conv1.weight")
    if first is None or first.ndim != 4 or first.shape[1] != len(COLOUR_MEAN):
        return weights
    scaled = first.float() / COLOUR_SD.view(1, -1, 1, 1)
    offset = (scaled * COLOUR_MEAN.view(1, -1, 1, 1)).sum(dim=(1, 2, 3))
    mean = weights.get("bn1.running_mean", torch.zeros(len(first)))
    return {**weights, "conv1.weight": scaled.sum(dim=1, keepdim=True), "bn1.running_mean": mean.float() + offset}


def _other_shape(name: str, given: dict[str, Tensor], wanted: dict[str, Tensor]) -> str:
    return f"has {name} of {tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
