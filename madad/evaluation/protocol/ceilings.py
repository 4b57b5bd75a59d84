"""What the reference masks themselves score as maps: the most that a method can reach under each protocol on a test set.

A protocol whose ceiling is below 1 punishes a right map: a filter that wears thin lesions away, a threshold that was chosen
where there is nothing to see. The chains of papers have a row of their own each, named after the chain.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from madad.core.io.manifest import Row, write_table
from madad.evaluation.protocol.inputs import Source
from madad.evaluation.protocol.published_protocols import CHAINS
from madad.evaluation.protocol.run import evaluate
from madad.evaluation.results.long_table import COLUMNS, read
from madad.evaluation.results.protocol_table import INFERENCE, PUBLISHED

REFERENCE = "reference mask"


def under(chain: str) -> str:
    """Return what the reference mask under the chain of a paper is called among the methods."""
    return f"{REFERENCE}, {chain}"


def write_ceilings(
    packs: Sequence[Path], options: dict, identity: dict, out: Path, *, workers: int = 1, calibration_pack: Path | None = None
) -> None:
    """Write the long table of the reference masks of a test set, as if they were the maps of a method.

    Args:
        packs: validation and test packs of the test set.
        options: of the evaluation, see `madad.evaluation.protocol.run.evaluate`.
        identity: `cohort`, `modality`, `testset`.
        out: tab-separated file, columns of `madad.evaluation.results.long_table`.
        workers: processes.
        calibration_pack: as in the evaluation of methods: its healthy subjects where the validation pack has none.

    Raises:
        UserError: the packs are on different grids.
    """
    rows: list[Row] = []
    calibration = Source(None, calibration_pack) if calibration_pack else None
    with tempfile.TemporaryDirectory(prefix="ceilings-") as folder:
        for chain in CHAINS:
            table = Path(folder) / f"{chain}.tsv"
            names = {**identity, "method": REFERENCE, "seed": "0"}
            evaluate(None, list(packs), {**options, "published": chain}, names, table, workers=workers, calibration=calibration)
            found = [row for row in read(table) if row["protocol"] != INFERENCE.name]
            rows += [] if rows else [row for row in found if row["protocol"] != PUBLISHED.name]
            rows += [{**row, "method": under(chain)} for row in found if row["protocol"] == PUBLISHED.name]
    write_table(out, rows, COLUMNS)
