"""The second pass: one test sample under every threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from madad.evaluation.metrics.bounding_box import bounding_box
from madad.evaluation.metrics.empty_masks import OURS, Convention
from madad.evaluation.metrics.lesion_detection import label, match, voxels
from madad.evaluation.metrics.ordinal_scores import HALF, ScoreCode, count
from madad.evaluation.metrics.slice_dice import SliceDice, slice_dice
from madad.evaluation.metrics.surfaces import Surface
from madad.evaluation.metrics.thresholds import best_dice
from madad.evaluation.metrics.voxel_metrics import confusion
from madad.evaluation.protocol import published_protocols
from madad.evaluation.protocol.first_pass import Row, row
from madad.evaluation.protocol.froc import Responses, respond
from madad.evaluation.protocol.inputs import HEALTHY, Grid
from madad.evaluation.protocol.metric_values import Values, lesion_values, surface_values, voxel_values
from madad.evaluation.protocol.paper_slices import mean_dice
from madad.evaluation.protocol.postprocessing import remove_small
from madad.evaluation.protocol.published_protocols import Chain
from madad.evaluation.protocol.records import Location, Record, read
from madad.evaluation.protocol.single_lesions import lesion_rows
from madad.evaluation.results.long_table import SampleIdentity
from madad.evaluation.results.metric import THRESHOLDED, Metric
from madad.evaluation.results.metric_table import DICE, DICE_SLICE, SUBJECT_SCORE, of_family
from madad.evaluation.results.protocol_table import (
    CHAIN,
    COMPONENTS,
    HEALTHY_FPR_1,
    NO_STEP,
    ORACLE_SUBJECT,
    PUBLISHED,
    VALIDATION,
    VOLUME,
)

# The operating point whose volume is a score of the subject.
VOLUME_PROTOCOL = HEALTHY_FPR_1
# The operating point at which single lesions are found or missed.
LESION_PROTOCOL = VALIDATION


@dataclass(frozen=True)
class Plan:
    """How samples are scored. Thresholds are ordinals; None where there is none.

    Attributes:
        thresholds: of every protocol.
        min_component: components with fewer voxels are removed.
        chain_component: the same of the published chain, whose steps are shown.
        grid: of all samples.
        code: of the scores.
        alone: only what belongs to a single sample is wanted, without surfaces.
        froc: the lowest threshold of the FROC curve; None when there is no curve.
        slices: grid of thresholds for `madad.evaluation.metrics.slice_dice`.
        coarse: first ordinals of the groups that pooled metrics are resampled on.
        steps: thresholds by step of the post-processing and `after_step` protocol.
        paper: the chain of the method's paper; None when it has none.
        published: threshold (a score) of the paper's protocol and its smallest component; None when it has none.
        slice_cuts: thresholds by protocol of those that score some slices alone.
        convention: values for empty masks.
    """

    thresholds: Mapping[str, int | None]
    min_component: int
    grid: Grid
    alone: bool = False
    code: ScoreCode = HALF
    chain_component: int = 1
    froc: int | None = None
    slices: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    coarse: np.ndarray = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    steps: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)
    paper: Chain | None = None
    published: tuple[float, int] | None = None
    slice_cuts: Mapping[str, int | None] = field(default_factory=dict)
    convention: Convention = OURS


@dataclass(frozen=True)
class Scored:
    """One test sample after the second pass.

    Attributes:
        rows: its numbers.
        responses: for the FROC curve; None where it has no part in it.
        slices: for the Dice of slices; None without a lesion.
        coarse: (2, groups) counts for resampling; None without a lesion.
        lesions: rows of the table of single lesions.
    """

    rows: list[Row]
    responses: Responses | None
    slices: SliceDice | None = None
    coarse: np.ndarray | None = None
    lesions: list[dict[str, str]] = field(default_factory=list)


class Task(NamedTuple):
    """One test sample: who it is, whether its lesions are known, and where its record lies."""

    identity: SampleIdentity
    marked: bool
    location: Location


def score(task: Task, plan: Plan) -> Scored:
    """Score one test sample, whose record the first pass has left.

    Of a sample whose lesions were not drawn only its own score is known: what is found there is neither right nor wrong.
    """
    identity, record = task.identity, read(task.location)
    sample = _Sample(identity, record, plan)
    if not task.marked:
        return Scored([] if plan.alone else sample.volume_row(), None)
    rows = [row for protocol, ordinal in sample.cuts() for row in sample.rows(protocol, ordinal)]
    if plan.alone:
        return Scored(rows, None, lesions=sample.single_lesions())
    rows += sample.volume_row() + sample.step_rows() + sample.published_rows() + sample.slice_rows()
    responses = None if plan.froc is None else respond(record, sample.labels, sample.number, plan.froc, plan.min_component)
    if not sample.has_lesion:
        return Scored(rows, responses)
    slices = slice_dice(record.inside, record.brain, record.reference, plan.slices)
    coarse = np.add.reduceat(sample.counts, plan.coarse, axis=1)
    return Scored(rows, responses, slices, coarse, sample.single_lesions())


class _Sample:
    """A record with what several metrics need of it, computed once."""

    def __init__(self, identity: SampleIdentity, record: Record, plan: Plan) -> None:
        self.identity, self.record, self.plan = identity, record, plan
        self.reference = record.reference
        self.has_lesion = bool(self.reference.any())
        self.counts = count(record.ordinals[record.brain], self.reference[record.brain])
        self.labels, self.number = (
            label(self.reference) if self.has_lesion else (np.zeros(self.reference.shape, dtype=np.int32), 0)
        )
        self.sizes = voxels(self.labels, self.number)
        self._known: dict[int, Values] = {}
        self._predicted_ml: dict[int, float] = {}

    def cuts(self) -> Iterator[tuple[str, int | None]]:
        """Yield the protocols and thresholds, with the subject's own best."""
        yield from self.plan.thresholds.items()
        if self.has_lesion and not self.plan.alone:
            yield ORACLE_SUBJECT.name, best_dice(self.counts)

    def rows(self, protocol: str, ordinal: int | None) -> list[Row]:
        """Return the numbers of one threshold; NaN where there is no threshold or no brain."""
        if ordinal is None or not self.record.voxels:
            return [(protocol, metric.name, np.nan) for metric in self.shown()]
        values = self.at(ordinal)
        # the means are those of samples with a lesion; of a patient without one only the false alarms are kept
        no_lesion = self.identity.group != HEALTHY and not self.has_lesion
        return [
            (protocol, metric.name, np.nan if no_lesion and not metric.belongs_to(healthy=True) else values[metric.name])
            for metric in self.shown()
        ]

    def shown(self) -> list[Metric]:
        """Metrics with a threshold that this sample has. A healthy one has no lesion to overlap with, only false positives."""
        families = [family for family in THRESHOLDED if family != "surfaces" or not self.plan.alone]
        return [metric for metric in of_family(*families) if metric.belongs_to(self.identity.group == HEALTHY)]

    def at(self, ordinal: int) -> Values:
        """Return every metric of one threshold; protocols often agree on it."""
        if ordinal not in self._known:
            self._known[ordinal] = self._measure(ordinal)
        return self._known[ordinal]

    def _measure(self, ordinal: int) -> Values:
        prediction = remove_small(self.record.above(ordinal), self.plan.min_component)
        cells = confusion(prediction, self.reference, self.record.voxels, self.plan.grid.voxel_ml)
        self._predicted_ml[ordinal] = cells.predicted_ml
        values = voxel_values(cells, self.plan.convention)
        values |= lesion_values(match(prediction, self.labels, self.number, self.sizes), self.plan.convention)
        with_surfaces = any(metric.family == "surfaces" for metric in self.shown())
        return values | self._surfaces(prediction) if with_surfaces else values

    def _surfaces(self, prediction: np.ndarray) -> Values:
        spacing_mm, convention = self.plan.grid.spacing_mm, self.plan.convention
        if not (prediction.any() and self.has_lesion):
            # a distance to nothing is the diagonal of the brain's own box: no two voxels of it are farther apart
            box = bounding_box(self.record.brain)
            return surface_values(prediction[box], self.reference[box], spacing_mm, convention)
        return surface_values(prediction, self.reference, spacing_mm, convention, self.surface)

    @cached_property
    def surface(self) -> Surface:
        """Surface of the lesions, the same under every threshold."""
        return Surface.of(self.reference, self.plan.grid.spacing_mm)

    def volume_row(self) -> list[Row]:
        """Volume above the operating point, small components removed, as a score of the subject, in ml."""
        ordinal = self.plan.thresholds.get(VOLUME_PROTOCOL.name)
        value = np.nan
        if ordinal is not None and self.record.voxels:
            self.at(ordinal)
            value = self._predicted_ml[ordinal]
        return [row(VOLUME, SUBJECT_SCORE, value)]

    def single_lesions(self) -> list[dict[str, str]]:
        """Return what becomes of every lesion at the operating point."""
        ordinal = self.plan.thresholds.get(LESION_PROTOCOL.name)
        cut = None if ordinal is None else remove_small(self.record.above(ordinal), self.plan.min_component)
        return lesion_rows(self.reference, cut, self.record.contrasts, self.plan.grid.voxel_ml)

    def step_rows(self) -> list[Row]:
        """Return the Dice after single steps of the post-processing, for samples with a lesion."""
        return [
            (protocol, DICE.name, np.nan if ordinal is None else self._step_dice(name, ordinal))
            for name, thresholds in (self.plan.steps.items() if self.has_lesion else ())
            for protocol, ordinal in thresholds.items()
        ]

    def _step_dice(self, name: str, ordinal: int) -> float:
        """Return the Dice over the voxels that a step leaves with a score."""
        inside, values = self.record.steps[NO_STEP if name == COMPONENTS else name]
        above = values > ordinal if ordinal >= 0 else np.ones(values.size, dtype=bool)
        if name in (COMPONENTS, CHAIN):
            prediction = inside.copy()
            prediction[inside] = above
            above = remove_small(prediction, self.plan.chain_component)[inside]
        return voxel_values(confusion(above, self.record.lesion[inside]), self.plan.convention)[DICE.name]

    def published_rows(self) -> list[Row]:
        """Return the Dice under the paper's own protocol."""
        paper, record = self.plan.paper, self.record
        if paper is None or paper.slices or self.identity.group == HEALTHY:
            return []
        volume = record.ordinals if record.published is None else record.published
        if self.plan.published is None:
            value = published_protocols.dice_of_subject(volume, record.lesion, int(np.prod(record.shape)))
        else:
            value = published_protocols.dice(volume, record.lesion, *self.plan.published, self.plan.code)
        return [row(PUBLISHED, DICE, float(value))]

    def slice_rows(self) -> list[Row]:
        """Return the mean Dice of the slices that some protocols score alone, for samples with a lesion."""
        rows = []
        for name, flags in self.record.slices.items():
            inside, values = self.record.steps[NO_STEP]
            prediction, ordinal = inside.copy(), self.plan.slice_cuts[name]
            prediction[inside] = values.astype(np.int32) > (-1 if ordinal is None else ordinal)
            value = mean_dice(prediction[flags], (self.record.lesion & inside)[flags])
            rows.append((name, (DICE if name == PUBLISHED.name else DICE_SLICE).name, value))
        return rows
