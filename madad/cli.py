"""`python -m madad <verb>`: one verb a stage, introducing the parts to each other.

Every verb imports what it needs when it is called, so that a stage loads no library of another.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from madad import logs
from madad.errors import UserError

Arguments = argparse.Namespace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit status; what a user can cause is told without a traceback."""
    parsed = parser().parse_args(arguments)
    with logs.capture(parsed.log):
        try:
            parsed.run(parsed)
        except UserError as error:
            logs.say(f"error: {error}")
            return 1
        except Exception:  # a defect: its traceback belongs into the log as well
            logs.say(traceback.format_exc())
            return 1
    return 0


def cohort(arguments: Arguments) -> None:
    """List a cohort's images; a phantom cohort is made first."""
    from madad.cohorts import bids, phantom
    from madad.manifest import write_manifest, write_table

    options, folder = arguments.options, arguments.folder
    root = Path(options.get("root") or folder / "bids")
    if options["kind"] == "phantom":
        phantom.build(root, options, arguments.workers)
    rows, excluded = bids.read(root, options, arguments.modalities)
    for entry in excluded:
        logs.warn(f"{arguments.name}: {entry['subject']} is left out: {entry['reason']}")
    write_table(folder / "excluded.tsv", excluded, ("subject", "path", "reason"))
    write_manifest(folder / "manifest.tsv", rows)


def preprocess(arguments: Arguments) -> None:
    """Preprocess one shard of a cohort."""
    from madad.manifest import read_manifest
    from madad.preprocessing import shards

    rows = read_manifest(arguments.manifest)
    shards.run(rows, arguments.shard, arguments.shards, arguments.folder, arguments.options, arguments.table)


def intensity(arguments: Arguments) -> None:
    """Fit the intensity normalisation on training subjects."""
    from madad.preprocessing import packing
    from madad.provenance import write_json

    write_json(arguments.out, packing.fit(arguments.tables, arguments.modality, arguments.options))


def pack(arguments: Arguments) -> None:
    """Put the normalised images of a split into one file."""
    from madad.preprocessing import packing

    model = json.loads(arguments.intensity.read_text())
    packing.pack(arguments.tables, arguments.split, arguments.modality, model, arguments.out, arguments.cohort)


def bank(arguments: Arguments) -> None:
    """Warp one shard of the bank of lesion maps."""
    from madad.anomalies.bank import build

    build(arguments.out, arguments.shard, arguments.shards, arguments.spacing_mm, arguments.options)


def implant(arguments: Arguments) -> None:
    """Make the semi-synthetic version of a pack."""
    from madad.anomalies.testsets import implant_pack

    implant_pack(arguments.pack, arguments.out, arguments.table, arguments.options)


def corrupt(arguments: Arguments) -> None:
    """Make the corrupted version of a test pack."""
    from madad.corruptions.testsets import corrupt_pack

    options = {**arguments.options, "intensity": json.loads(arguments.intensity.read_text())}
    corrupt_pack(arguments.pack, arguments.out, arguments.table, options)


def examples(arguments: Arguments) -> None:
    """Make the report's examples of synthetic lesions."""
    from madad.anomalies.examples import make_examples

    make_examples(arguments.pack, arguments.banks, arguments.out, arguments.options)


def train(arguments: Arguments) -> None:
    """Train a method."""
    from madad.engine.training import train as run_training

    parts: dict[str, str] = {}
    method = _method(arguments, parts)
    data = arguments.options["data"]
    run_training(
        method,
        train_pack=arguments.train,
        validation_pack=arguments.validation,
        options=arguments.options["training"],
        identity=_identity(arguments),
        parts=parts,
        seed=arguments.seed,
        run=arguments.run_folder,
        checkpoints=arguments.checkpoints,
        device=_device(arguments),
        kind=data["kind"],
        pairs=_pairs(arguments, parts) if data["pairs"] else None,
    )


def infer(arguments: Arguments) -> None:
    """Reconstruct and map the subjects of packs."""
    from madad.engine.inference import infer as run_inference

    run_inference(
        _method(arguments),
        model=arguments.model,
        packs=arguments.packs,
        identity=_identity(arguments),
        seed=arguments.seed,
        out=arguments.out,
        device=_device(arguments),
    )


def evaluate(arguments: Arguments) -> None:
    """Score stored maps."""
    from madad.evaluation import protocol
    from madad.evaluation.inputs import Source

    scored = (arguments.maps, arguments.packs, arguments.options, _identity(arguments), arguments.out)
    calibration = (arguments.calibration_maps, arguments.calibration_pack)
    if any(calibration) != all(calibration):
        raise UserError("--calibration-maps, --calibration-pack: one without the other; give both or none")
    if arguments.thresholds:
        protocol.evaluate_transferred(*scored, base=arguments.thresholds, workers=arguments.workers)
    else:
        lent = Source(*calibration) if all(calibration) else None
        protocol.evaluate(*scored, workers=arguments.workers, calibration=lent)


def export(arguments: Arguments) -> None:
    """Write stored maps as NIfTI files."""
    from madad.reporting.nifti import export_maps

    export_maps(arguments.maps, arguments.packs, arguments.folder)


def provenance(arguments: Arguments) -> None:
    """Write the effective configuration, the versions and the state of the code."""
    from madad.provenance import environment, write_json

    write_json(arguments.out, {"configuration": arguments.options, "environment": environment()})


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="madad", description="Benchmark unsupervised anomaly detection in brain MRI.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="verb")
    integer, many = {"type": int}, {"type": Path, "nargs": "+"}
    _verb(verbs, cohort, "options", "folder", name={}, modalities={"type": json.loads}, workers=integer)
    _verb(verbs, preprocess, "options", "manifest", "folder", "table", shard=integer, shards=integer)
    _verb(verbs, intensity, "options", "out", tables=many, modality={})
    _verb(verbs, pack, "out", "intensity", tables=many, cohort={}, modality={}, split={})
    _verb(verbs, bank, "options", "out", shard=integer, shards=integer)
    verbs.choices["bank"].add_argument("--spacing-mm", type=float, required=True)
    _verb(verbs, implant, "options", "pack", "out", "table")
    _verb(verbs, corrupt, "options", "pack", "intensity", "out", "table")
    _verb(verbs, examples, "options", "pack", "out", banks=many)
    for run in (train, infer, evaluate):
        _verb(verbs, run, "options", cohort={}, modality={}, method={}, seed=integer)
    _add(verbs.choices["train"], "train", "validation", "checkpoints")
    verbs.choices["train"].add_argument("--run", dest="run_folder", type=Path, required=True)
    verbs.choices["train"].add_argument("--banks", type=Path, nargs="*", default=[], help="synthetic lesions to learn from")
    verbs.choices["train"].add_argument("--parts", type=Path, nargs="*", default=[], help="models of its parts, by role")
    _add(verbs.choices["infer"], "model", "out", testset={}, packs=many)
    _add(verbs.choices["evaluate"], "maps", "out", testset={}, packs=many)
    for name, meaning in (
        ("calibration-maps", "maps of a pack whose healthy subjects choose thresholds where the validation pack has none"),
        ("calibration-pack", "that pack"),
        ("thresholds", "long table of the test set that a corrupted one is made of: its thresholds are taken over"),
    ):
        verbs.choices["evaluate"].add_argument(f"--{name}", type=Path, nargs="?", help=meaning)
    verbs.choices["evaluate"].add_argument("--workers", type=int, default=1, help="processes")
    for name in ("train", "infer"):
        verbs.choices[name].add_argument(
            "--device", default=os.environ.get("MADAD_DEVICE", "auto"), help="auto, cpu, cuda or cuda:N"
        )
        verbs.choices[name].add_argument("--threads", type=int, default=0, help="CPU threads; all when 0")
        verbs.choices[name].add_argument("--gpus", type=int, default=1, help="0 to share a GPU with other jobs")
    _verb(verbs, export, "maps", "folder", packs=many)
    _verb(verbs, provenance, "options", "out")
    return top


def _verb(verbs: argparse._SubParsersAction, run: Callable[[Arguments], None], *paths: str, **named: dict) -> None:
    summary = (run.__doc__ or "").strip()
    verb = verbs.add_parser(run.__name__, help=summary, description=summary)
    verb.set_defaults(run=run)
    verb.add_argument("--log", help="file to which everything said is written as well")
    _add(verb, *paths, **named)


def _add(verb: argparse.ArgumentParser, *paths: str, **named: dict) -> None:
    for name in paths:
        verb.add_argument(f"--{name}", type=json.loads if name == "options" else Path, required=True)
    for name, details in named.items():
        verb.add_argument(f"--{name}", required=True, **details)


def _identity(arguments: Arguments) -> dict[str, str]:
    keys = ("cohort", "modality", "testset", "method", "seed")
    return {key: str(getattr(arguments, key)) for key in keys if hasattr(arguments, key)}


def _device(arguments: Arguments) -> str:
    from madad.engine.devices import SHARED

    return SHARED if arguments.device == "auto" and not arguments.gpus else arguments.device


def _method(arguments: Arguments, parts: dict[str, str] | None = None) -> object:
    """The method of the options. Where a dict is given its parts get their weights, and it the models' fingerprints."""
    import torch

    from madad.engine.models import load_model
    from madad.methods import registry

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    options = arguments.options
    if parts is None:
        return registry.assemble(options, arguments.seed)
    roles = sorted(options["parts"])
    if len(roles) != len(arguments.parts):
        raise UserError(f"--parts: {len(arguments.parts)} models for the parts {', '.join(roles) or 'none'}; give one for each")
    models = dict(zip(roles, arguments.parts, strict=True))

    def load_weights(role: str, part: torch.nn.Module) -> None:
        used = options["parts"][role]
        expected = {"method": used["method"], "parameters": registry.hyperparameters(used)}
        expected |= {"cohort": arguments.cohort, "modality": arguments.modality}
        parts[role] = load_model(part, models[role], expected)["fingerprint"]

    return registry.assemble(options, arguments.seed, load_weights)


def _pairs(arguments: Arguments, parts: dict[str, str]) -> object:
    """Synthetic lesions for training images; bank and generator count among the parts that the training stands on."""
    from madad.anomalies.appearance import Look
    from madad.anomalies.bank import Bank
    from madad.anomalies.pairs import Pairs
    from madad.anomalies.sites import pack_sign
    from madad.provenance import content_hash, file_hash, fingerprint
    from madad.stores import Pack

    options = arguments.options["training"]
    parts["bank"] = content_hash([*map(file_hash, arguments.banks), fingerprint("madad.anomalies.pairs")])
    bank = Bank(arguments.banks)
    with Pack(arguments.train) as pack:
        if bank.shape != pack.shape:
            raise UserError(
                f"{arguments.banks[0]}: lesions on a grid of {bank.shape}, {pack.path} has {pack.shape}; make the bank again"
            )
        return Pairs(bank, [pack_sign(pack)], Look(preset=options["look"]), options["healthy_share"])


if __name__ == "__main__":
    sys.exit(main())
