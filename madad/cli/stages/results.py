"""Steps for results: evaluate and export maps, and record what produced them."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

from madad.cli.arguments import INTEGER, MANY, Arguments, Commands, command
from madad.cli.stages.runs import identity
from madad.core.errors import UserError


def declare(commands: Commands) -> None:
    """Declare the steps."""
    run = {"cohort": {}, "modality": {}, "method": {}, "seed": INTEGER}
    scoring = command(commands, evaluate, "options", "maps", "out", testset={}, packs=MANY, **run)
    for name, meaning in (
        ("calibration-maps", "maps of a pack whose healthy subjects determine thresholds where the validation pack has none"),
        ("calibration-pack", "the pack of these maps"),
        ("thresholds", "long table of the test set that a corrupted one is made from, for its thresholds"),
    ):
        scoring.add_argument(f"--{name}", type=Path, nargs="?", help=meaning)
    scoring.add_argument("--workers", type=int, default=1, help="number of processes")
    ceiling = command(commands, ceilings, "options", "out", cohort={}, modality={}, testset={}, packs=MANY)
    ceiling.add_argument("--calibration-pack", type=Path, nargs="?", help="pack whose healthy subjects determine thresholds")
    ceiling.add_argument("--workers", type=int, default=1, help="number of processes")
    command(commands, export, "maps", "folder", packs=MANY)
    command(commands, export_masks, "options", "maps", "table", "folder", packs=MANY, protocol={})
    command(commands, provenance, "options", "out")
    command(commands, deliver)
    command(commands, cards, "out")
    command(commands, metrics, "out")
    command(commands, reruns, "out")


def evaluate(arguments: Arguments) -> None:
    """Evaluate stored maps under every protocol."""
    from madad.evaluation.protocol import run as protocol
    from madad.evaluation.protocol.inputs import Source

    scored = (arguments.maps, arguments.packs, arguments.options, identity(arguments), arguments.out)
    calibration = (arguments.calibration_maps, arguments.calibration_pack)
    if any(calibration) != all(calibration):
        raise UserError("--calibration-maps, --calibration-pack: one is given without the other; give both or none")
    if arguments.thresholds:
        protocol.evaluate_transferred(*scored, base=arguments.thresholds, workers=arguments.workers)
    else:
        source = Source(*calibration) if all(calibration) else None
        protocol.evaluate(*scored, workers=arguments.workers, calibration=source)


def ceilings(arguments: Arguments) -> None:
    """Evaluate the reference masks of a test set as if they were maps: the most that a method can score."""
    from madad.evaluation.protocol.ceilings import write_ceilings

    write_ceilings(
        arguments.packs,
        arguments.options,
        identity(arguments),
        arguments.out,
        workers=arguments.workers,
        calibration_pack=arguments.calibration_pack,
    )


def export(arguments: Arguments) -> None:
    """Write stored maps as NIfTI files."""
    from madad.engine.nifti_export import export_maps

    export_maps(arguments.maps, arguments.packs, arguments.folder)


def export_masks(arguments: Arguments) -> None:
    """Write maps cut at a named threshold as NIfTI masks and pictures: true, false and missed voxels, as in the tables."""
    from madad.evaluation.protocol import mask_export
    from madad.reporting.galleries.mask_pictures import draw_masks

    given = (arguments.maps, arguments.packs, arguments.options, arguments.table, arguments.protocol, arguments.folder)
    mask_export.export_masks(*given)
    draw_masks(arguments.packs, arguments.folder)


def provenance(arguments: Arguments) -> None:
    """Write the effective configuration, the versions and the state of the code that produced the results."""
    from madad.core.provenance import environment, write_json

    write_json(arguments.out, {"configuration": arguments.options, "environment": environment()})


def deliver(arguments: Arguments) -> None:
    """Make a table or figure: standard input names the function and its arguments, as JSON.

    They can be longer than an argument of a process may be.
    """
    call = json.load(sys.stdin)
    module, name = call["function"].split(":")
    getattr(import_module(module), name)(**call["arguments"])


def cards(arguments: Arguments) -> None:
    """Write docs/reference/methods/index.md, the page of every method with its settings and deviations."""
    from madad.reporting.documentation import method_pages

    method_pages.write(arguments.out)


def metrics(arguments: Arguments) -> None:
    """Write the tables of metrics and protocols into docs/reference/evaluation.md."""
    from madad.evaluation.results import documentation

    documentation.write(arguments.out)


def reruns(arguments: Arguments) -> None:
    """Write the table of keys and the rules that they make run again into docs/reference/reruns.md."""
    from madad.configuration import deciding_keys, model_keys

    deciding_keys.write(arguments.out, list(model_keys.keys()))
