"""The columns of the summary: every metric under the protocols that its row names, and the FROC curve at given points."""

from __future__ import annotations

from dataclasses import replace

from madad.evaluation.results.metric import Measure
from madad.evaluation.results.metric_table import LESION_SENSITIVITY_IOU, METRICS
from madad.evaluation.results.protocol_table import FROC

FROC_SENSITIVITIES = tuple(
    replace(
        LESION_SENSITIVITY_IOU @ protocol,
        key=protocol.key,
        title=protocol.title,
        note=f"share of all lesions of the test set matched {protocol.note}",
        better=1,
    )
    for protocol in FROC
)


def measures() -> list[Measure]:
    """Return every column: whole maps and voxels first, then single steps of the post-processing, then all others."""
    every = [metric @ protocol for metric in METRICS for protocol in metric.summarised]
    every.sort(key=lambda one: (one.metric.family not in ("ranking", "voxels"), one.protocol.kind == "step"))
    return [*every, *FROC_SENSITIVITIES]


def by_key() -> dict[str, Measure]:
    """Return every column by its name in files."""
    return {measure.key: measure for measure in measures()}
