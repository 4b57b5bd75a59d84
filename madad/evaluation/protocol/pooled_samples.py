"""All samples after the first pass: what thresholds are chosen on, and what the second pass needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from madad.core.logs import progress, warn
from madad.core.validation_parts import chosen_for
from madad.evaluation.metrics.ordinal_scores import no_counts
from madad.evaluation.metrics.thresholds import CONFORMAL_RATE, Evidence, healthy_quantile
from madad.evaluation.metrics.voxel_metrics import dice_curve
from madad.evaluation.protocol.first_pass import Measured, Plan, Row, measure
from madad.evaluation.protocol.inputs import HEALTHY, TEST, VALIDATION, Job
from madad.evaluation.protocol.mean_maps import MeanMaps
from madad.evaluation.protocol.paper_slices import PooledSlices
from madad.evaluation.protocol.records import Location, Scratch
from madad.evaluation.protocol.subject_curves import SubjectCurves
from madad.evaluation.protocol.workers import Run
from madad.evaluation.results.long_table import SampleIdentity

WHOLE = "whole"  # no step of the post-processing has this name


@dataclass
class PooledSamples:
    """All samples after the first pass.

    Attributes:
        means: maps of the healthy test samples.
        tested: whose the test samples are, in the order of the pack.
        locations: where their records lie.
        rows: their numbers so far.
        with_lesion: subjects of the test samples with a lesion, one per sample.
        marked: whether the lesions of each test sample are known.
        healthy: records of the healthy validation samples that choose thresholds.
        evidence: for the thresholds.
        tissue: (2, bins) counts of all test samples.
        steps: (2, bins) counts of validation samples with lesions by step of the post-processing.
        dices: Dice curves of the test subjects with a lesion: `WHOLE` of the whole post-processing, and by its steps.
        published: (2, bins) counts of validation samples with lesions under the paper's protocol.
        slices: chosen slices of the test samples with a lesion, by the name of the protocol.
    """

    means: MeanMaps
    tested: list[SampleIdentity] = field(default_factory=list)
    locations: list[Location] = field(default_factory=list)
    rows: list[list[Row]] = field(default_factory=list)
    with_lesion: list[str] = field(default_factory=list)
    marked: list[bool] = field(default_factory=list)
    healthy: list[Location] = field(default_factory=list)
    evidence: Evidence = field(default_factory=Evidence)
    tissue: np.ndarray = field(default_factory=no_counts)
    steps: dict[str, np.ndarray] = field(default_factory=dict)
    dices: SubjectCurves = field(default_factory=SubjectCurves)
    published: np.ndarray = field(default_factory=no_counts)
    slices: dict[str, PooledSlices] = field(default_factory=dict)


def pool_samples(run: Run, jobs: list[Job], plan: Plan, scratch: Scratch) -> PooledSamples:
    """Measure every sample and collect the outcomes in their order.

    Args:
        run: of `madad.evaluation.protocol.workers.team`.
        scratch: takes the records.
    """
    first = PooledSamples(MeanMaps(plan.grid, plan.code))
    subjects = healthy_validation_subjects(jobs)
    wanted = chosen_for("thresholds", subjects), chosen_for("calibration", subjects)
    first.dices.expected = Counter(job.identity.subject for job in jobs if job.identity.split == TEST)
    for measured in progress(run(partial(measure, plan=plan), jobs), "post-processing maps", len(jobs)):
        for warning in measured.warnings:
            warn(warning)
        if measured.identity.split == TEST:
            _take_tested(first, measured, scratch)
        elif measured.has_lesion or measured.identity.group == HEALTHY:
            _take_validation(first, measured, scratch, *wanted)
        if measured.published:
            measured.published.add_to(first.published)
    first.evidence.dices = first.dices.totals.get(WHOLE, first.evidence.dices)
    return first


def healthy_validation_subjects(jobs: Sequence[Job]) -> set[str]:
    """Return the healthy subjects that thresholds can be chosen on."""
    return {job.identity.subject for job in jobs if job.identity.split == VALIDATION and job.identity.group == HEALTHY}


def _take_tested(first: PooledSamples, measured: Measured, scratch: Scratch) -> None:
    first.tested.append(measured.identity)
    first.locations.append(scratch.append(measured.record))
    first.rows.append(measured.rows)
    first.marked.append(measured.marked)
    if measured.marked:
        measured.tally.add_to(first.tissue)
    if measured.healthy:
        first.means.add(measured.healthy)
    if measured.has_lesion:
        first.with_lesion.append(measured.identity.subject)
        measured.tally.add_to(first.evidence.test)
    for name, own in measured.slices.items():
        first.slices.setdefault(name, PooledSlices()).add(own)
    tallies = {WHOLE: measured.tally, **measured.steps} if measured.has_lesion else {}
    curves = {name: tally.spread(dice_curve(tally.counts)) for name, tally in tallies.items()}
    first.dices.add(measured.identity.subject, curves)


def _take_validation(
    first: PooledSamples, measured: Measured, scratch: Scratch, thresholds: set[str], calibration: set[str]
) -> None:
    evidence, identity = first.evidence, measured.identity
    if measured.has_lesion:
        measured.tally.add_to(evidence.validation)
        for name, tally in measured.steps.items():
            tally.add_to(first.steps.setdefault(name, no_counts()))
        return
    if not measured.tally.counts.any():
        return
    if identity.subject in thresholds:
        measured.tally.add_to(evidence.healthy)
        first.healthy.append(scratch.append(measured.record))
    if identity.subject in calibration:
        lowest = measured.tally.ordinal(healthy_quantile(measured.tally.counts, CONFORMAL_RATE) + 1)
        # a subject with several scans keeps to the rate only if each of them does
        evidence.by_subject[identity.subject] = max(lowest, evidence.by_subject.get(identity.subject, -1))
