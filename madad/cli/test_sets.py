"""Verbs of what is made from packs: synthetic lesions, and test sets with lesions or corruptions put in."""

from __future__ import annotations

import json

from madad.cli.arguments import INTEGER, MANY, Arguments, Verbs, verb


def declare(verbs: Verbs) -> None:
    """Declare this stage's verbs."""
    verb(verbs, bank, "options", "out", shard=INTEGER, shards=INTEGER)
    verb(verbs, implant, "options", "pack", "out", "table")
    verb(verbs, corrupt, "options", "pack", "intensity", "out", "table")
    verb(verbs, examples, "options", "pack", "out", banks=MANY)


def bank(arguments: Arguments) -> None:
    """Warp one shard of the bank of lesion maps."""
    from madad.data.anomalies.bank import build

    build(arguments.out, arguments.shard, arguments.shards, arguments.options)


def implant(arguments: Arguments) -> None:
    """Make the semi-synthetic version of a pack."""
    from madad.data.anomalies.implanted import implant_pack

    implant_pack(arguments.pack, arguments.out, arguments.table, arguments.options)


def corrupt(arguments: Arguments) -> None:
    """Make the corrupted version of a test pack."""
    from madad.data.corruptions.corrupted import corrupt_pack

    options = {**arguments.options, "intensity": json.loads(arguments.intensity.read_text())}
    corrupt_pack(arguments.pack, arguments.out, arguments.table, options)


def examples(arguments: Arguments) -> None:
    """Make the report's examples of synthetic lesions."""
    from madad.data.anomalies.examples import make_examples

    make_examples(arguments.pack, arguments.banks, arguments.out, arguments.options)
