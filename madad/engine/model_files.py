"""The model file: weights, with the metadata needed to refuse them where they do not belong."""

from __future__ import annotations

import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from madad.core.errors import UserError
from madad.core.provenance import complete

# One entry, because safetensors writes several in random order, and equal models should be equal files.
ENTRY = "madad"


def save_model(path: Path, weights: dict[str, Tensor], metadata: dict) -> None:
    """Write weights and metadata that JSON can hold."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with complete(path) as partial:
        save_file(tensors, partial, metadata={ENTRY: json.dumps(metadata, sort_keys=True)})
        partial.chmod(0o666 & ~_umask())  # safetensors makes the file readable by its owner only, but results are shared


def halved(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights as float16 where their values allow it; counters stay as they are."""

    def half(tensor: Tensor) -> Tensor:
        shortened = tensor.half() if tensor.is_floating_point() else tensor
        return shortened if shortened.isfinite().all() else tensor

    return {name: half(tensor) for name, tensor in weights.items()}


def read_metadata(path: Path) -> dict:
    """Return the metadata that `save_model` wrote beside the weights.

    Raises:
        UserError: no such file, or not a file of `save_model`.
    """
    return read_model(path)[0]


def load_model(method: nn.Module, path: Path, expected: dict) -> dict:
    """Load weights into a method and return the metadata of the file.

    Args:
        method: built with the model's hyper-parameters.
        path: a file of `save_model`.
        expected: metadata that must be equal; the message names the first that differs.

    Raises:
        UserError: unreadable, with another method, parameters, modality or shape, or with other weights.
    """
    metadata, weights = read_model(path)
    for key, value in expected.items():
        if metadata.get(key) != value:
            raise UserError(f"{path}: the model's {key.replace('_', ' ')} {_difference(metadata.get(key), value)}; train again")
    try:
        load_weights(method, weights)
    except RuntimeError as error:
        raise UserError(
            f"{path}: the weights do not fit the method ({str(error).splitlines()[-1].strip()}); train again"
        ) from None
    return metadata


def load_weights(method: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load weights; buffers that are empty until `fit` sizes them by the data take the size of the loaded ones.

    Raises:
        RuntimeError: the weights do not fit.
    """
    for name, buffer in method.named_buffers():
        if not buffer.numel() and name in weights:
            buffer.resize_(weights[name].shape)
    method.load_state_dict(weights)


def read_model(path: Path) -> tuple[dict, dict[str, Tensor]]:
    """Return metadata and weights as `save_model` wrote them.

    Raises:
        UserError: no such file, or not a file of `save_model`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(ENTRY, "{}"))
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except FileNotFoundError:
        raise UserError(f"{path}: no such model; train it first") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable model ({error}); delete it and train again") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _difference(found: object, wanted: object) -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
        return "differ: " + ", ".join(f"{key} is {found.get(key)!r}, not {wanted.get(key)!r}" for key in keys)
    return f"is {found!r}, not {wanted!r}"
