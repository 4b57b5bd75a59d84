"""Commands of the data stage: from a data set to packs of normalised images."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

from madad.cli.arguments import INTEGER, MANY, Arguments, Commands, command
from madad.core import logs


def declare(commands: Commands) -> None:
    """Declare the commands of this stage."""
    command(commands, download, "options", "folder", "out")
    command(commands, cohort, "options", "folder", name={}, modalities={"type": json.loads}, workers=INTEGER)
    command(commands, preprocess, "options", "manifest", "folder", "table", shard=INTEGER, shards=INTEGER)
    command(commands, verdicts, "options", "out", "record", tables=MANY, cohort={})
    command(commands, intensity, "options", "out", tables=MANY, modality={})
    command(commands, pack, "out", "intensity", tables=MANY, cohort={}, modality={}, split={})


def download(arguments: Arguments) -> None:
    """Download a data set that requires no registration."""
    from madad.core.provenance import write_json
    from madad.data.cohorts.finding.download import fetch_data_set

    options = arguments.options
    files = fetch_data_set(options["kind"], arguments.folder, options["modalities"], options.get("mirror"))
    write_json(arguments.out, {"kind": options["kind"], "files": files})


def cohort(arguments: Arguments) -> None:
    """List the images of a cohort; a phantom cohort is generated first."""
    from madad.core.io.manifest import write_manifest, write_table
    from madad.data.cohorts.finding.manifest_rows import read

    options, folder = arguments.options, arguments.folder
    root, kind = Path(options.get("root") or folder / "bids"), options["kind"]
    if kind == "phantom":
        from madad.data.cohorts import phantom

        phantom.build(root, options, arguments.workers)
        kind = "bids"
    rows, excluded = read(import_module(f"madad.data.cohorts.{kind}").find, root, options, arguments.modalities)
    for entry in excluded:
        logs.warn(f"{arguments.name}: {entry['subject']} is left out: {entry['reason']}")
    write_table(folder / "excluded.tsv", excluded, ("subject", "path", "reason"))
    write_manifest(folder / "manifest.tsv", rows)


def preprocess(arguments: Arguments) -> None:
    """Preprocess one shard of a cohort."""
    from madad.core.io.manifest import read_manifest
    from madad.data.preprocessing import shards

    rows = read_manifest(arguments.manifest)
    shards.run(rows, arguments.shard, arguments.shards, arguments.folder, arguments.options, arguments.table)


def verdicts(arguments: Arguments) -> None:
    """Judge every image of a cohort."""
    from madad.data.preprocessing.quality_control import judge

    judge(arguments.tables, arguments.options, arguments.cohort, arguments.out, arguments.record)


def intensity(arguments: Arguments) -> None:
    """Fit the intensity normalisation on training subjects."""
    from madad.core.provenance import write_json
    from madad.data.preprocessing import packing

    write_json(arguments.out, packing.fit(arguments.tables, arguments.modality, arguments.options))


def pack(arguments: Arguments) -> None:
    """Write the normalised images of a split into one file."""
    from madad.data.preprocessing import packing

    model = json.loads(arguments.intensity.read_text())
    packing.pack(arguments.tables, arguments.split, arguments.modality, model, arguments.out, arguments.cohort)
