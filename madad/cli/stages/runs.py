"""Steps of a run: train a method, and apply it to subjects."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from madad.cli.arguments import INTEGER, MANY, Arguments, Commands, add_device, command
from madad.configuration.schema import Options
from madad.core.errors import UserError

if TYPE_CHECKING:
    import torch

    from madad.engine.initial_weights import InitialWeights


def declare(commands: Commands) -> None:
    """Declare the steps."""
    run = {"cohort": {}, "modality": {}, "method": {}, "seed": INTEGER}
    training = command(commands, train, "options", "train", "validation", "checkpoints", **run)
    training.add_argument("--run", dest="run_folder", type=Path, required=True, help="folder of the run")
    training.add_argument(
        "--banks", type=Path, nargs="*", default=[], help="bank of synthetic lesions, for methods that learn from them"
    )
    training.add_argument("--parts", type=Path, nargs="*", default=[], help="models of its parts, in the order of their roles")
    command(commands, reuse, "source", **run).add_argument(
        "--run", dest="run_folder", type=Path, required=True, help="folder of the run"
    )
    inference = command(commands, infer, "options", "model", "out", testset={}, packs=MANY, **run)
    for parser in (training, inference):
        _add_machine(parser)


def _add_machine(parser: argparse.ArgumentParser) -> None:
    add_device(parser)
    parser.add_argument("--threads", type=int, default=0, help="number of CPU threads; 0 for all")
    parser.add_argument("--gpus", type=int, default=1, help="number of GPUs; 0 to share one with other jobs")


def train(arguments: Arguments) -> None:
    """Train a method."""
    from madad.configuration import cards
    from madad.engine.training import train as run_training

    options, parts = arguments.options, {}
    parameters = cards.as_trained(options["base"], options["parameters"], options["training"], arguments.modality)
    method = _method(arguments, {**options, "parameters": parameters}, parts)
    data = options["data"]
    run_training(
        method,
        train_pack=arguments.train,
        validation_pack=arguments.validation,
        options=options["training"],
        identity=identity(arguments),
        parts=parts,
        seed=arguments.seed,
        run=arguments.run_folder,
        checkpoints=arguments.checkpoints,
        device=_device(arguments),
        kind=data["kind"],
        pairs=_pairs(arguments, parts) if data["pairs"] else None,
        initial=_initial_weights(options["initial_weights"]) if "initial_weights" in options else None,
    )


def reuse(arguments: Arguments) -> None:
    """Reuse the weights of a method that was trained in the same way."""
    from madad.engine import weight_reuse

    weight_reuse.reuse(arguments.source, arguments.run_folder, identity(arguments))


def infer(arguments: Arguments) -> None:
    """Compute the reconstructions and anomaly maps of the subjects of packs."""
    from madad.engine.inference import infer as run_inference

    run_inference(
        _method(arguments, arguments.options),
        model=arguments.model,
        packs=arguments.packs,
        identity=identity(arguments),
        seed=arguments.seed,
        out=arguments.out,
        device=_device(arguments),
    )


def identity(arguments: Arguments) -> dict[str, str]:
    """Return the coordinates of a run as text, for its records."""
    keys = ("cohort", "modality", "testset", "method", "seed")
    return {key: str(getattr(arguments, key)) for key in keys if hasattr(arguments, key)}


def _device(arguments: Arguments) -> str:
    from madad.engine.devices import SHARED

    return SHARED if arguments.device == "auto" and not arguments.gpus else arguments.device


def _method(arguments: Arguments, options: Options, parts: dict[str, str] | None = None) -> torch.nn.Module:
    """Return the method that the options describe.

    Args:
        arguments: of the command.
        options: base, parameters and parts of the method.
        parts: an empty dict, to load the weights of the parts; it receives the fingerprint of every model by role.
    """
    import torch

    from madad.engine.model_files import load_model
    from madad.methods import registry

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if parts is None:
        return registry.assemble(options, arguments.seed)
    roles = sorted(options["parts"])
    if len(roles) != len(arguments.parts):
        raise UserError(f"--parts: {len(arguments.parts)} models for the parts {', '.join(roles) or 'none'}; give one per part")
    models = dict(zip(roles, arguments.parts, strict=True))

    def load_weights(role: str, part: torch.nn.Module) -> None:
        used = options["parts"][role]
        expected = {"method": used["method"], "parameters": registry.trained_with(used)}
        expected |= {"cohort": arguments.cohort, "modality": arguments.modality}
        parts[role] = load_model(part, models[role], expected)["fingerprint"]

    return registry.assemble(options, arguments.seed, load_weights)


def _initial_weights(chosen: dict[str, str]) -> InitialWeights:
    """Return the weights that a training starts from.

    Args:
        chosen: from `madad.configuration.initial_weights.chosen`.
    """
    from safetensors.torch import load

    from madad.configuration import initial_weights
    from madad.core.io import model_archive
    from madad.core.logs import say
    from madad.engine.initial_weights import InitialWeights

    path = initial_weights.file(chosen)
    about = initial_weights.record(chosen, model_archive.read_start(path))
    if about["sha256"] != chosen["sha256"]:
        raise UserError(f"{path}: has changed since the run was started; start it again")
    say(f"starts from {initial_weights.in_words(about)}")
    return InitialWeights(load(model_archive.read_weights(path)), about)


def _pairs(arguments: Arguments, parts: dict[str, str]) -> Callable[[torch.Tensor, torch.Tensor, torch.Generator], Any]:
    """Return the source of synthetic lesions for training images; bank and generator count among the parts of the training."""
    from madad.core.io.hdf5 import Pack
    from madad.core.provenance import content_hash, file_hash, fingerprint
    from madad.data.anomalies.appearance import Appearance
    from madad.data.anomalies.bank import Bank
    from madad.data.anomalies.pairs import Pairs
    from madad.data.anomalies.sites import pack_sign

    options = arguments.options["training"]
    parts["bank"] = content_hash([*map(file_hash, arguments.banks), fingerprint("madad.data.anomalies.pairs")])
    bank = Bank(arguments.banks)
    with Pack(arguments.train) as pack:
        if bank.shape != pack.shape:
            raise UserError(
                f"{arguments.banks[0]}: lesions on a grid of {bank.shape}, {pack.path} has {pack.shape}; "
                "delete the bank so that it is made again"
            )
        return Pairs(bank, [pack_sign(pack, bank.to_mni)], Appearance(preset=options["look"]), options["healthy_share"])
