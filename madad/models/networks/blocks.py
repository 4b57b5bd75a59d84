"""Building blocks of networks in 2D and 3D."""

from __future__ import annotations

from torch import nn

from madad.core.errors import UserError

CONVOLUTIONS: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}


def zero(layer: nn.Module) -> nn.Module:
    """Set all weights of a layer to zero and return the layer."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def check_groups(norm_groups: int, channels: int, key: str) -> None:
    """Refuse groups of the group norm that do not divide the number of channels in the parameter `key`.

    Raises:
        UserError: they do not.
    """
    if channels % norm_groups:
        raise UserError(f"parameters.norm_groups: {norm_groups} does not divide {key} = {channels}; give a divisor of it")
