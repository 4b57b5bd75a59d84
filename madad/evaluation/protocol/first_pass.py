"""The first pass: what a sample shows without a threshold, and the counts that thresholds are chosen on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from madad.evaluation.metrics.bounding_box import bounding_box
from madad.evaluation.metrics.empty_masks import OURS, Convention
from madad.evaluation.metrics.ordinal_scores import HALF, ScoreCode, Tally, count
from madad.evaluation.metrics.reconstruction import Reconstruction, whole_volume_l1
from madad.evaluation.protocol import published_protocols
from madad.evaluation.protocol.inputs import HEALTHY, TEST, UNKNOWN, VALIDATION, Grid, Job, Loaded, load
from madad.evaluation.protocol.mean_maps import Healthy
from madad.evaluation.protocol.metric_values import ranking_values, reconstruction_values
from madad.evaluation.protocol.paper_slices import SliceCounts, choose, count_slices
from madad.evaluation.protocol.postprocessing import (
    Sizes,
    Step,
    as_published,
    coded,
    erode,
    score_inside,
    single_steps,
    smoothed,
)
from madad.evaluation.protocol.published_protocols import Chain
from madad.evaluation.protocol.records import Record
from madad.evaluation.protocol.single_lesions import contrasts
from madad.evaluation.results.long_table import SampleIdentity
from madad.evaluation.results.metric import Metric
from madad.evaluation.results.metric_table import (
    AUPRC,
    BRAIN_ML,
    FLAGGED_SHARE,
    L1,
    LESION_ML,
    PEAK_MEMORY_MB,
    SECONDS,
    SUBJECT_SCORE,
)
from madad.evaluation.results.protocol_table import (
    FLAGGED_HEALTHY,
    FLAGGED_PATIENTS,
    HEALTHY_BRAIN,
    INFERENCE,
    PER_SUBJECT,
    PUBLISHED,
    RECONSTRUCTION,
    SMOOTHED,
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
        sizes: of the main protocol's post-processing.
        chain: of the published one, whose steps are shown.
        paper: the chain of the method's paper; None when it has no protocol of its own.
        grid: of all samples.
        code: of the scores.
        convention: values for empty masks, of which the second pass is told.
        alone: only what belongs to a single sample is wanted, nothing of the whole test set.
        slices: choices of slices that are scored alone, by the name of the protocol.
    """

    sizes: Sizes
    chain: Sizes
    paper: Chain | None
    grid: Grid
    alone: bool
    code: ScoreCode = HALF
    convention: Convention = OURS
    slices: Mapping[str, str] = field(default_factory=dict)

    @property
    def published(self) -> Sizes | None:
        """Sizes of a paper that scores whole volumes."""
        return self.paper.sizes(self.grid.spacing_mm) if self.paper and not self.paper.slices else None

    @property
    def highest(self) -> float:
        """Magnitude of the highest score."""
        return float(np.abs(self.code.levels).max())

    @property
    def lowest(self) -> float:
        """The lowest score; 0, which is always listed, counts only where nothing else is."""
        scores = self.code.levels[self.code.levels != 0]
        return float(scores.min()) if scores.size else 0.0


@dataclass
class Measured:
    """One sample after the first pass.

    Attributes:
        identity: the sample and its subject.
        has_lesion: whether its lesions are known and one holds a voxel of the brain.
        marked: whether its lesions are known.
        tally: counts of the voxels that have a score.
        rows: numbers that need no threshold.
        steps: counts after single steps of the post-processing, of samples with a lesion.
        published: counts under the paper's protocol, of validation samples with lesions.
        slices: counts of chosen slices, of test samples with a lesion.
        record: for the second pass, `madad.evaluation.protocol.records.Record` as bytes; empty where there will be none.
        healthy: for the mean maps; healthy test samples only.
        warnings: what the user should know.
    """

    identity: SampleIdentity
    has_lesion: bool
    marked: bool
    tally: Tally
    rows: list[Row] = field(default_factory=list)
    steps: dict[str, Tally] = field(default_factory=dict)
    published: Tally | None = None
    slices: dict[str, SliceCounts] = field(default_factory=dict)
    record: bytes = b""
    healthy: Healthy | None = None
    warnings: list[str] = field(default_factory=list)


def measure(job: Job, plan: Plan) -> Measured:
    """Read one sample, post-process its map and count.

    Raises:
        UserError: see `madad.evaluation.protocol.inputs.load`.
    """
    loaded = load(job, images=job.identity.split == TEST)
    published = plan.published
    reach = max(one.median for one in (plan.sizes, plan.chain, published or plan.chain)) // 2
    # a filter sees as much of the background as it reaches into; what is kept is the brain and its lesions alone
    room = bounding_box(loaded.brain | loaded.lesion, reach)
    anomaly_map, head, lesion = (array[room] for array in (loaded.anomaly_map, loaded.brain, loaded.lesion))
    ordinals, brain, box = coded(anomaly_map, head, plan.code), erode(head, plan.sizes.erosion), bounding_box(head | lesion)
    volume = score_inside(ordinals, brain, plan.sizes.median)
    reference = lesion & brain
    tally = Tally.of(count(volume[brain], reference[brain]))
    record = Record(loaded.brain.shape, brain[box], lesion[box], volume[box])
    has_lesion = job.marked and bool(reference.any())
    measured = Measured(job.identity, has_lesion, job.marked, tally, warnings=_warnings(job, brain, reference))
    known = None
    if measured.has_lesion and not plan.alone:
        steps = single_steps(ordinals, head, plan.chain)
        steps[SMOOTHED] = Step(head, smoothed(anomaly_map, head, plan.grid.spacing_mm, plan.highest, plan.lowest))
        _add_steps(measured, record, steps, lesion, box)
        same = published and (published.erosion, published.median) == (plan.chain.erosion, plan.chain.median)
        known = steps["chain"].ordinals if same else None
        if job.identity.split == TEST:
            _add_slices(measured, record, ordinals[box], head[box], loaded, plan)
    if published and job.marked and job.identity.group != HEALTHY and not plan.alone:
        _add_published(measured, as_published(ordinals, head, published, known)[box], record)
    if job.identity.split == TEST:
        _add_tested(measured, loaded, record, plan)
    elif job.identity.group != HEALTHY:
        return measured
    measured.record = record.to_bytes()
    return measured


def _add_steps(measured: Measured, record: Record, steps: dict[str, Step], lesion: np.ndarray, box: tuple[slice, ...]) -> None:
    """Count the scores after every step where it leaves some, and keep those of test samples."""
    for name, (inside, ordinals) in steps.items():
        measured.steps[name] = Tally.of(count(ordinals[inside], lesion[inside]))
        if measured.identity.split == TEST:
            record.steps[name] = (inside[box], ordinals[inside])


def _add_slices(measured: Measured, record: Record, ordinals: np.ndarray, head: np.ndarray, loaded: Loaded, plan: Plan) -> None:
    """Count the scores of the slices that some protocols take alone, and keep which they are."""
    _, height, width = loaded.brain.shape
    box, pixel_mm2 = bounding_box(loaded.brain | loaded.lesion)[0], float(np.prod(plan.grid.spacing_mm[1:]))
    for name, choice in plan.slices.items():
        flags = choose(choice, loaded.lesion & loaded.brain, loaded.brain)[box]
        record.slices[name] = flags
        own = ordinals[flags], head[flags], record.lesion[flags]
        measured.slices[name] = count_slices(*own, height * width, pixel_mm2)


def _add_tested(measured: Measured, loaded: Loaded, record: Record, plan: Plan) -> None:
    identity = measured.identity
    if loaded.reconstruction is not None and not np.isfinite(loaded.reconstruction).all():
        measured.warnings.append(f"{identity.sample}: its reconstruction holds NaN or infinite values; its metrics are NaN")
    measured.rows += _rows(measured, loaded, record, plan)
    if measured.has_lesion and loaded.image is not None:
        # of the box, so that single lesions have the order that they have in the record
        box = bounding_box(loaded.brain | loaded.lesion)
        record.contrasts = contrasts(loaded.image[box], record.lesion, record.brain, plan.grid.spacing_mm)
    measured.healthy = _healthy(identity, loaded, record, plan)


def _warnings(job: Job, brain: np.ndarray, reference: np.ndarray) -> list[str]:
    identity = job.identity
    if not brain.any():
        return [f"{identity.sample}: its brain mask is empty; all its values are NaN"]
    if not job.marked:
        return [f"{identity.sample}: a sample without a reference mask (group {identity.group}); it stays out of what needs one"]
    if identity.split == TEST and identity.group != HEALTHY and not reference.any():
        return [f"{identity.sample}: a {identity.group} sample without a lesion voxel in the brain; AUPRC and AUROC are NaN"]
    return []


def _add_published(measured: Measured, volume: np.ndarray, record: Record) -> None:
    counts = published_protocols.count_all(volume, record.lesion, int(np.prod(record.shape)))
    if measured.identity.split == TEST:
        measured.rows.append(row(PUBLISHED, AUPRC, AUPRC.value(counts)))
        record.published = volume
    elif measured.identity.split == VALIDATION:
        measured.published = Tally.of(counts)


def _rows(measured: Measured, loaded: Loaded, record: Record, plan: Plan) -> list[Row]:
    """Return everything about a test sample that depends on no threshold."""
    identity, voxel_ml, rows = measured.identity, plan.grid.voxel_ml, []
    if not plan.alone:
        scores = subject_scores(record.ordinals[record.brain], plan.code)
        rows += [(reduction, SUBJECT_SCORE.name, value) for reduction, value in scores.items()]
    rows.append(row(VOLUMES, BRAIN_ML, record.voxels * voxel_ml))
    if measured.marked:
        rows.append(row(VOLUMES, LESION_ML, int(np.count_nonzero(record.reference)) * voxel_ml))
    if identity.group != HEALTHY and measured.marked:
        rows += [(PER_SUBJECT.name, name, value) for name, value in ranking_values(measured.tally.counts).items()]
    for name, tally in measured.steps.items():
        rows.append(row(after_step(name), AUPRC, AUPRC.value(tally.counts)))
    rows += [row(INFERENCE, SECONDS, loaded.seconds), row(INFERENCE, PEAK_MEMORY_MB, loaded.peak_memory_mb)]
    if np.isfinite(loaded.flagged_share) and identity.group != UNKNOWN:
        rows.append(row(FLAGGED_HEALTHY if identity.group == HEALTHY else FLAGGED_PATIENTS, FLAGGED_SHARE, loaded.flagged_share))
    return rows + (_reconstruction_rows(identity, loaded, plan) if measured.marked else [])


def _reconstruction_rows(identity: SampleIdentity, loaded: Loaded, plan: Plan) -> list[Row]:
    """Fidelity in the healthy, and what is left of lesions in the others, where the method reconstructs."""
    if loaded.reconstruction is None or loaded.image is None:
        return []
    healthy = identity.group == HEALTHY
    one = Reconstruction(loaded.image, loaded.reconstruction, loaded.brain, loaded.lesion)
    protocol = HEALTHY_BRAIN if healthy else RECONSTRUCTION
    rows = [(protocol.name, name, value) for name, value in reconstruction_values(one, healthy).items()]
    if healthy and plan.paper and not plan.alone:
        rows.append(row(PUBLISHED, L1, whole_volume_l1(loaded.image, loaded.reconstruction)))
    return rows


def _healthy(identity: SampleIdentity, loaded: Loaded, record: Record, plan: Plan) -> Healthy | None:
    if identity.group != HEALTHY or plan.alone:
        return None
    inside = np.zeros(record.shape, dtype=bool)
    inside[bounding_box(loaded.brain | loaded.lesion)] = record.brain
    residual = None if loaded.reconstruction is None else np.abs(loaded.reconstruction - loaded.image)[inside]
    ordinals = record.ordinals[record.brain]
    return Healthy(inside, ordinals, residual if residual is not None and np.isfinite(residual).all() else None)
