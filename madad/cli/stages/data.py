"""Steps of the data stage: from a data set to packs of normalised images."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

from madad.cli.arguments import INTEGER, MANY, Arguments, Commands, command
from madad.core import logs

REASONS = ("subject", "path", "reason")


def declare(commands: Commands) -> None:
    """Declare the steps."""
    command(commands, download, "options", "folder", "out")
    listed = command(commands, manifest, "options", "folder", name={}, modalities={"type": json.loads}, workers=INTEGER)
    listed.add_argument("--reading", help="text under which what the images hold is recorded, for the next run to compare")
    command(commands, preprocess, "options", "manifest", "folder", "table", shard=INTEGER, shards=INTEGER)
    command(commands, select, "options", "out", tables=MANY, split={})
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


def manifest(arguments: Arguments) -> None:
    """List the images of a cohort; one that the run makes itself is made first."""
    from madad.configuration import cohort_cards
    from madad.core.io.manifest import write_manifest, write_table
    from madad.core.provenance import write_json
    from madad.data.cohorts.finding import contents, found_files, summary
    from madad.data.cohorts.finding.understanding import read_cohort

    options, folder = arguments.options, arguments.folder
    root, kind = Path(options.get("root") or folder / "bids"), options["kind"]
    if cohort_cards.card(kind).get("made"):
        importlib.import_module(f"madad.data.cohorts.{kind}").build(root, options, arguments.workers)
        kind = "bids"
    reading = read_cohort(kind, root, options, arguments.modalities)
    found = summary.facts(reading, root, options["kind"], options.get("group", "auto"))
    for line in summary.lines(arguments.name, found):
        logs.say(line)
    write_table(folder / "excluded.tsv", reading.excluded, REASONS)
    write_table(folder / "passed_over.tsv", reading.passed, REASONS)
    write_json(folder / "summary.json", found)
    if arguments.reading not in (None, contents.MADE_HERE):
        contents.write(folder, arguments.reading, found_files.found(kind, root, options, arguments.modalities))
    write_manifest(folder / "manifest.tsv", reading.rows)


def preprocess(arguments: Arguments) -> None:
    """Preprocess one shard of a cohort."""
    from madad.core.io.manifest import read_manifest
    from madad.data.preprocessing import shards

    rows = read_manifest(arguments.manifest)
    shards.run(rows, arguments.shard, arguments.shards, arguments.folder, arguments.options, arguments.table)


def select(arguments: Arguments) -> None:
    """Say of every image of a split whether it is used."""
    from madad.data.preprocessing.quality_control import select

    select(arguments.tables, arguments.options, arguments.split, arguments.out)


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
