"""Maps cut at a named threshold, as NIfTI masks: what is right, what is false and what is missed, by the steps of the tables."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from madad.core.errors import UserError
from madad.core.io.manifest import write_table
from madad.core.io.volumes import Volume, save_volume
from madad.core.logs import progress, warn
from madad.evaluation.metrics.bounding_box import bounding_box
from madad.evaluation.protocol.first_pass import Plan, measure
from madad.evaluation.protocol.inputs import TEST, Grid, Job, code_of, list_jobs, load, reading
from madad.evaluation.protocol.postprocessing import published_sizes, remove_small, sizes_of
from madad.evaluation.protocol.records import Record
from madad.evaluation.protocol.stored_thresholds import as_choice, read_thresholds
from madad.evaluation.results.protocol_table import chosen

TRUE, FALSE, MISSED, UNKNOWN = 1, 2, 3, 4
NAMES = {TRUE: "true", FALSE: "false", MISSED: "missed", UNKNOWN: "predicted, truth unknown"}


def export_masks(maps: Path, packs: list[Path], options: dict, table: Path, protocol: str, folder: Path) -> None:
    """Write `<name>_dseg.nii.gz` of every test sample, with the labels that `dseg.tsv` names.

    1 in a lesion and predicted, 2 predicted outside, 3 a lesion that is not predicted, 4 predicted in a patient whose lesions
    nobody has drawn. Dice is 2 n1 / (2 n1 + n2 + n3) over the voxels n of each label: that of the long table.

    Args:
        maps: of one method on one test set.
        packs: that the maps were computed from.
        options: `erosion`, `median` and `min_component` of the evaluation.
        table: its long table, for the threshold.
        protocol: name of the threshold.
        folder: for the files.

    Raises:
        UserError: no such threshold, or maps, packs and table do not belong together.
    """
    names = [known.name for known in chosen()]
    if protocol not in names:
        raise UserError(f"--protocol: {protocol} is no threshold of a whole test set; take one of {', '.join(names)}")
    jobs, grid = list_jobs(maps, packs, {})
    score = read_thresholds(table, [protocol], {})[protocol]
    code = code_of(jobs, [score] if np.isfinite(score) else [])
    choice = as_choice(table, score, code)
    write_table(folder / "dseg.tsv", [{"index": str(index), "name": name} for index, name in NAMES.items()], ("index", "name"))
    if choice.ordinal is None:
        warn(f"{folder}: no masks, because {table} has no threshold {protocol}; the log of the evaluation says why")
        return
    plan = Plan(sizes_of(options), published_sizes(grid.spacing_mm), None, grid, alone=True, code=code)
    tested = [job for job in jobs if job.identity.split == TEST]
    with reading():
        for mask in progress(map(partial(_labels, plan=plan, ordinal=choice.ordinal), tested), "exporting masks", len(tested)):
            _save(folder, *mask, grid)


def _labels(job: Job, plan: Plan, ordinal: int) -> tuple[str, np.ndarray]:
    """Return the name of a sample and its labels (S, H, W) uint8."""
    loaded, record = load(job, images=False), Record.from_bytes(measure(job, plan).record)
    predicted = remove_small(record.above(ordinal), plan.sizes.min_component)
    labels = np.where(predicted, np.where(record.reference, TRUE, FALSE), np.where(record.reference, MISSED, 0))
    if not job.marked:
        labels[predicted] = UNKNOWN
    whole = np.zeros(record.shape, dtype=np.uint8)
    whole[bounding_box(loaded.brain | loaded.lesion)] = labels
    return job.identity.sample, whole


def _save(folder: Path, name: str, labels: np.ndarray, grid: Grid) -> None:
    # (S, H, W) back to (I, J, K)
    save_volume(folder / f"{name}_dseg.nii.gz", Volume(labels.transpose(2, 1, 0), grid.affine))
