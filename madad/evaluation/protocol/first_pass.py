"""The first pass: what a sample shows without a threshold, and the counts that thresholds are chosen on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from madad.evaluation.metrics.bounding_box import bounding_box
from madad.evaluation.metrics.ordinal_scores import Tally, count
from madad.evaluation.metrics.reconstruction import Reconstruction, whole_volume_l1
from madad.evaluation.protocol import published_protocols
from madad.evaluation.protocol.inputs import HEALTHY, TEST, VALIDATION, Grid, Job, Loaded, load
from madad.evaluation.protocol.mean_maps import Healthy
from madad.evaluation.protocol.metric_values import ranking_values, reconstruction_values
from madad.evaluation.protocol.postprocessing import Sizes, post_process, single_steps
from madad.evaluation.protocol.records import Record
from madad.evaluation.results.long_table import SampleIdentity
from madad.evaluation.results.metric import Metric
from madad.evaluation.results.metric_table import AUPRC, BRAIN_ML, L1, LESION_ML, PEAK_MEMORY_MB, SECONDS, SUBJECT_SCORE
from madad.evaluation.results.protocol_table import (
    HEALTHY_BRAIN,
    INFERENCE,
    PER_SUBJECT,
    PUBLISHED,
    RECONSTRUCTION,
    VOLUMES,
    Protocol,
    after_step,
    subject_scores,
)

Row = tuple[str, str, float]  # protocol, metric, value


def row(protocol: Protocol, metric: Metric, value: float) -> Row:
    """Return one number with its names."""
    return (protocol.name, metric.name, value)


@dataclass(frozen=True)
class Plan:
    """How samples are measured.

    Attributes:
        sizes: of the post-processing.
        published: those of the method's paper; None when it has no protocol of its own.
        grid: of all samples.
        alone: only what belongs to a single sample is wanted, nothing of the whole test set.
    """

    sizes: Sizes
    published: Sizes | None
    grid: Grid
    alone: bool

    @property
    def same_scores(self) -> bool:
        """Whether the scores of the paper's protocol are those of ours."""
        ours, theirs = self.sizes, self.published
        return theirs is None or (ours.erosion, ours.median) == (theirs.erosion, theirs.median)


@dataclass
class Measured:
    """One sample after the first pass.

    Attributes:
        identity: the sample and its subject.
        has_lesion: whether its reference mask holds a voxel of the brain.
        tally: counts of the brain's voxels.
        rows: numbers that need no threshold.
        steps: counts after single steps of the post-processing, of samples with a lesion.
        published: counts under the paper's protocol, of validation samples with lesions.
        record: for the second pass, `madad.evaluation.protocol.records.Record` as bytes; empty where there will be none.
        healthy: for the mean maps; healthy test samples only.
        warnings: what the user should know.
    """

    identity: SampleIdentity
    has_lesion: bool
    tally: Tally
    rows: list[Row] = field(default_factory=list)
    steps: dict[str, Tally] = field(default_factory=dict)
    published: Tally | None = None
    record: bytes = b""
    healthy: Healthy | None = None
    warnings: list[str] = field(default_factory=list)


def measure(job: Job, plan: Plan) -> Measured:
    """Read one sample, post-process its map and count.

    Raises:
        UserError: see `madad.evaluation.protocol.inputs.load`.
    """
    identity, tested = job.identity, job.identity.split == TEST
    loaded = load(job, images=tested)
    sizes = (plan.sizes, plan.published or plan.sizes)
    # the filter sees as much of the background as it reaches into; what is kept is the brain and its lesions alone
    room = bounding_box(loaded.brain | loaded.lesion, max(one.median for one in sizes) // 2)
    anomaly_map, brain, lesion = (array[room] for array in (loaded.anomaly_map, loaded.brain, loaded.lesion))
    volume = post_process(anomaly_map, brain, plan.sizes)
    reference = lesion & brain
    tally = Tally.of(count(volume[brain], reference[brain]))
    measured = Measured(identity, bool(reference.any()), tally, warnings=_warnings(identity, brain, reference))
    needed = tested or (identity.split == VALIDATION and identity.group == HEALTHY)
    box = bounding_box(brain | lesion)
    record = Record(loaded.brain.shape, brain[box], lesion[box], volume[box])
    if plan.published and identity.group != HEALTHY and not plan.alone:
        theirs = volume if plan.same_scores else post_process(anomaly_map, brain, plan.published)
        _add_published(measured, theirs[box], record, plan)
    if measured.has_lesion and not plan.alone:
        steps = single_steps(anomaly_map, brain, plan.sizes, volume)
        measured.steps = {name: Tally.of(count(step[brain], reference[brain])) for name, step in steps.items()}
        record.steps.update({name: step[brain] for name, step in steps.items()} if tested else {})
    if tested and loaded.reconstruction is not None and not np.isfinite(loaded.reconstruction).all():
        measured.warnings.append(f"{identity.sample}: its reconstruction holds NaN or infinite values; its metrics are NaN")
    if tested:
        measured.rows += _rows(measured, loaded, record, plan)
        measured.healthy = _healthy(identity, loaded, volume[brain], plan)
    measured.record = record.to_bytes() if needed else b""
    return measured


def _warnings(identity: SampleIdentity, brain: np.ndarray, reference: np.ndarray) -> list[str]:
    if not brain.any():
        return [f"{identity.sample}: its brain mask is empty; all its values are NaN"]
    if identity.split == TEST and identity.group != HEALTHY and not reference.any():
        return [f"{identity.sample}: a {identity.group} sample without a lesion voxel in the brain; AUPRC and AUROC are NaN"]
    return []


def _add_published(measured: Measured, volume: np.ndarray, record: Record, plan: Plan) -> None:
    counts = published_protocols.count_all(volume, record.lesion, int(np.prod(record.shape)))
    if measured.identity.split == TEST:
        measured.rows.append(row(PUBLISHED, AUPRC, AUPRC.value(counts)))
        if not plan.same_scores:
            record.published = volume
    elif measured.identity.split == VALIDATION:
        measured.published = Tally.of(counts)


def _rows(measured: Measured, loaded: Loaded, record: Record, plan: Plan) -> list[Row]:
    """Return everything about a test sample that depends on no threshold."""
    identity, voxel_ml, rows = measured.identity, plan.grid.voxel_ml, []
    if not plan.alone:
        scores = subject_scores(record.ordinals[record.brain])
        rows += [(reduction, SUBJECT_SCORE.name, value) for reduction, value in scores.items()]
    lesion_voxels = int(np.count_nonzero(record.reference))
    rows += [row(VOLUMES, BRAIN_ML, record.voxels * voxel_ml), row(VOLUMES, LESION_ML, lesion_voxels * voxel_ml)]
    if identity.group != HEALTHY:
        rows += [(PER_SUBJECT.name, name, value) for name, value in ranking_values(measured.tally.counts).items()]
    for name, tally in measured.steps.items():
        rows.append(row(after_step(name), AUPRC, AUPRC.value(tally.counts)))
    rows += [row(INFERENCE, SECONDS, loaded.seconds), row(INFERENCE, PEAK_MEMORY_MB, loaded.peak_memory_mb)]
    return rows + _reconstruction_rows(identity, loaded, plan)


def _reconstruction_rows(identity: SampleIdentity, loaded: Loaded, plan: Plan) -> list[Row]:
    """Fidelity in the healthy, and what is left of lesions in the others, where the method reconstructs."""
    if loaded.reconstruction is None or loaded.image is None:
        return []
    healthy = identity.group == HEALTHY
    one = Reconstruction(loaded.image, loaded.reconstruction, loaded.brain, loaded.lesion)
    protocol = HEALTHY_BRAIN if healthy else RECONSTRUCTION
    rows = [(protocol.name, name, value) for name, value in reconstruction_values(one, healthy).items()]
    if healthy and plan.published and not plan.alone:
        rows.append(row(PUBLISHED, L1, whole_volume_l1(loaded.image, loaded.reconstruction)))
    return rows


def _healthy(identity: SampleIdentity, loaded: Loaded, ordinals: np.ndarray, plan: Plan) -> Healthy | None:
    if identity.group != HEALTHY or plan.alone:
        return None
    residual = None if loaded.reconstruction is None else np.abs(loaded.reconstruction - loaded.image)[loaded.brain]
    return Healthy(loaded.brain, ordinals, residual if residual is not None and np.isfinite(residual).all() else None)
