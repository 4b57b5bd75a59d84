"""Build the method of a model file with its weights."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load
from torch import Tensor, nn

from madad.configuration import cards
from madad.core.errors import UserError
from madad.core.io.model_archive import About, read_about, read_weights
from madad.engine.model_files import load_weights
from madad.methods import registry


def build(path: Path) -> tuple[nn.Module, About]:
    """Return the method of a model with its weights, ready to be applied on the CPU, and the description.

    Raises:
        UserError: as `read_weights`, or the method does not exist here or has other settings than the model knows.
    """
    about = read_about(path)
    options = about["build"]
    known = set(cards.load(options["base"])["parameters"])
    if known != set(options["parameters"]):
        differing = ", ".join(sorted(known ^ set(options["parameters"])))
        raise UserError(
            f"{path}: {options['base']} has other settings in this version of madad ({differing}); install commit "
            f"{about['code'].get('commit', 'unknown')}"
        )
    method = registry.assemble(options, int(about["seed"]))
    weights: dict[str, Tensor] = load(read_weights(path))
    try:
        load_weights(method, weights)
    except RuntimeError as error:
        raise UserError(
            f"{path}: the weights do not fit {options['base']} ({str(error).splitlines()[-1].strip()}); export the model again"
        ) from None
    return method.eval(), about
