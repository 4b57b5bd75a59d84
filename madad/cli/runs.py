"""Verbs of a run: a method is trained, and reconstructs and maps subjects."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from madad.cli.arguments import INTEGER, MANY, Arguments, Verbs, verb
from madad.configuration import cards
from madad.configuration.schema import Options
from madad.core.errors import UserError

if TYPE_CHECKING:
    import torch


def declare(verbs: Verbs) -> None:
    """Declare this stage's verbs."""
    run = {"cohort": {}, "modality": {}, "method": {}, "seed": INTEGER}
    training = verb(verbs, train, "options", "train", "validation", "checkpoints", **run)
    training.add_argument("--run", dest="run_folder", type=Path, required=True)
    training.add_argument("--banks", type=Path, nargs="*", default=[], help="synthetic lesions to learn from")
    training.add_argument("--parts", type=Path, nargs="*", default=[], help="models of its parts, by role")
    verb(verbs, reuse, "source", **run).add_argument("--run", dest="run_folder", type=Path, required=True)
    inference = verb(verbs, infer, "options", "model", "out", testset={}, packs=MANY, **run)
    for parser in (training, inference):
        _add_machine(parser)


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default=os.environ.get("MADAD_DEVICE", "auto"), help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; all when 0")
    parser.add_argument("--gpus", type=int, default=1, help="0 to share a GPU with other jobs")


def train(arguments: Arguments) -> None:
    """Train a method."""
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
    )


def reuse(arguments: Arguments) -> None:
    """Reuse the weights of a method that was trained in the same way."""
    from madad.engine import weight_reuse

    weight_reuse.reuse(arguments.source, arguments.run_folder, identity(arguments))


def infer(arguments: Arguments) -> None:
    """Reconstruct and map the subjects of packs."""
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
    """Coordinates of a run, as its records carry them."""
    keys = ("cohort", "modality", "testset", "method", "seed")
    return {key: str(getattr(arguments, key)) for key in keys if hasattr(arguments, key)}


def _device(arguments: Arguments) -> str:
    from madad.engine.devices import SHARED

    return SHARED if arguments.device == "auto" and not arguments.gpus else arguments.device


def _method(arguments: Arguments, options: Options, parts: dict[str, str] | None = None) -> object:
    """The method of some options. Where a dict is given its parts get their weights, and it the models' fingerprints."""
    import torch

    from madad.engine.model_files import load_model
    from madad.methods import registry

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if parts is None:
        return registry.assemble(options, arguments.seed)
    roles = sorted(options["parts"])
    if len(roles) != len(arguments.parts):
        raise UserError(f"--parts: {len(arguments.parts)} models for the parts {', '.join(roles) or 'none'}; give one for each")
    models = dict(zip(roles, arguments.parts, strict=True))

    def load_weights(role: str, part: torch.nn.Module) -> None:
        used = options["parts"][role]
        expected = {"method": used["method"], "parameters": registry.trained_with(used)}
        expected |= {"cohort": arguments.cohort, "modality": arguments.modality}
        parts[role] = load_model(part, models[role], expected)["fingerprint"]

    return registry.assemble(options, arguments.seed, load_weights)


def _pairs(arguments: Arguments, parts: dict[str, str]) -> object:
    """Synthetic lesions for training images; bank and generator count among the parts that the training stands on."""
    from madad.core.io.hdf5 import Pack
    from madad.core.provenance import content_hash, file_hash, fingerprint
    from madad.data.anomalies.appearance import Look
    from madad.data.anomalies.bank import Bank
    from madad.data.anomalies.pairs import Pairs
    from madad.data.anomalies.sites import pack_sign

    options = arguments.options["training"]
    parts["bank"] = content_hash([*map(file_hash, arguments.banks), fingerprint("madad.data.anomalies.pairs")])
    bank = Bank(arguments.banks)
    with Pack(arguments.train) as pack:
        if bank.shape != pack.shape:
            raise UserError(
                f"{arguments.banks[0]}: lesions on a grid of {bank.shape}, {pack.path} has {pack.shape}; make the bank again"
            )
        return Pairs(bank, [pack_sign(pack, bank.to_mni)], Look(preset=options["look"]), options["healthy_share"])
