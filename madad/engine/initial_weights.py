"""Start a training from the weights of another one instead of random ones.

What was measured on other data and is no weight stays behind: the weights of trained parts, which are those that the run uses,
and the buffers that a method names in its class attribute `measured`, such as the scale of the latents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from madad.core.errors import UserError


@dataclass(frozen=True)
class InitialWeights:
    """Weights to start from.

    Attributes:
        weights: by name, of any floating-point type; those of trained parts may be missing.
        about: where they are from, for the record of the training.
    """

    weights: Mapping[str, Tensor]
    about: dict[str, Any]

    @torch.no_grad()
    def load(self, method: nn.Module) -> None:
        """Copy the weights into a method.

        Raises:
            UserError: a weight is missing or has another shape.
        """
        state = method.state_dict()
        measured = set(getattr(method, "measured", ()))
        for name in own_names(method):
            if name in measured:
                continue
            found = self.weights.get(name)
            if found is None or found.shape != state[name].shape:
                shape = "missing" if found is None else f"of shape {list(found.shape)}, not {list(state[name].shape)}"
                raise UserError(
                    f"initial_weights: {name} in {self.about['file']} is {shape}; set the hyper-parameters of the file under "
                    "method_options, or initial_weights of this method to none"
                )
            state[name].copy_(found)


def own_names(method: nn.Module) -> list[str]:
    """Return the names of a method's weights and buffers, without those of its trained parts, which are frozen."""
    own = set(_not_of_parts(method, ""))
    return [name for name in method.state_dict() if name in own]


def _not_of_parts(module: nn.Module, above: str) -> Iterator[str]:
    weights = list(module.parameters())
    if weights and not any(weight.requires_grad for weight in weights):
        return
    for name, _ in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
        yield above + name
    for name, child in module.named_children():
        yield from _not_of_parts(child, f"{above}{name}.")
