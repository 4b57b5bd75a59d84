"""Protocol v1: every number of one method on one test set, from stored maps and packs alone.

Two passes over the samples. The first (`first_pass`) post-processes every map and counts scores; the counts give the
thresholds and the pooled metrics. The second (`second_pass`) looks at each test sample under every threshold. What belongs to
the whole test set is added at the end. Where the method's paper has a protocol of its own,
`published_protocols` adds its numbers. Neither the number of processes nor other methods change a byte of the table.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from madad.core.logs import progress, say, warn
from madad.core.validation_parts import disjoint_parts
from madad.evaluation.metrics import slice_dice
from madad.evaluation.metrics.empty_masks import OURS, convention
from madad.evaluation.metrics.ordinal_scores import ScoreCode, coarse_groups, to_score
from madad.evaluation.metrics.thresholds import Choice, best_dice
from madad.evaluation.protocol import first_pass, froc, oracle, published_protocols, second_pass, test_set_metrics
from madad.evaluation.protocol.false_positive_threshold import one_false_positive
from madad.evaluation.protocol.first_pass import row
from madad.evaluation.protocol.inputs import TEST, Grid, Source, code_of, list_jobs, reading
from madad.evaluation.protocol.mean_maps import NAME
from madad.evaluation.protocol.paper_slices import add_slices
from madad.evaluation.protocol.pooled_samples import WHOLE, PooledSamples, healthy_validation_subjects, pool_samples
from madad.evaluation.protocol.postprocessing import published_sizes, sizes_of
from madad.evaluation.protocol.records import Scratch
from madad.evaluation.protocol.second_pass import Scored, Task, score
from madad.evaluation.protocol.stored_thresholds import as_choice, read_thresholds
from madad.evaluation.protocol.workers import Run, team
from madad.evaluation.results import single_lesions
from madad.evaluation.results.long_table import WHOLE_TEST_SET, LongTable
from madad.evaluation.results.metric_table import DICE_SLICE, SHARED_VALIDATION, SUBJECT_SCORE, THRESHOLD, UNMARKED
from madad.evaluation.results.protocol_table import (
    COMPONENTS,
    NO_STEP,
    ORACLE_SLICE,
    ORACLE_TEST,
    PROTOCOLS,
    PUBLISHED,
    VALIDATION,
    VOLUMES,
    after_step,
    choose,
)


def evaluate(
    maps: Path | None,
    packs: list[Path],
    options: dict,
    identity: dict,
    out: Path,
    *,
    workers: int = 1,
    calibration: Source | None = None,
) -> None:
    """Write the long table of one method on one test set; beside it single lesions, and the mean maps of the healthy.

    Args:
        maps: what the method made of the packs; None for their reference masks themselves.
        packs: validation and test packs of the test set; a missing or empty validation pack costs its protocols alone.
        options: `erosion`, `median`, `min_component` (voxels, 0 or None for none), and
            `published` (a chain of `madad.evaluation.protocol.published_protocols`; absent or None for none),
            `slices` (names of `madad.evaluation.results.protocol_table.SLICES` to score alone; absent for none),
            `empty_masks` (a name of `madad.evaluation.metrics.empty_masks.CONVENTIONS`; absent for ours).
        identity: `cohort`, `modality`, `method`, `seed`, `testset`.
        out: tab-separated file, columns of `madad.evaluation.results.long_table`.
        workers: processes.
        calibration: a pack whose healthy subjects choose the thresholds of the healthy where the validation pack has none.

    Raises:
        UserError: maps and packs do not belong together, or a map is not finite.
    """
    table = LongTable(identity)
    jobs, grid = list_jobs(maps, packs, identity, calibration)
    plan = _plan(options, grid, code_of(jobs))
    with _resources(out, workers) as (scratch, run):
        first = pool_samples(run, jobs, plan, scratch)
        first.evidence.one_false_positive = one_false_positive(
            run, first.healthy, first.evidence.healthy, plan.sizes.min_component
        )
        choices = oracle.settled(run, first, choose(first.evidence), plan.sizes.min_component)
        _say_thresholds(choices, table, plan.code)
        cuts = _cuts(first, choices, plan, table)
        scored = _second_pass(run, first, cuts)
    rows = [one + two.rows for one, two in zip(first.rows, scored, strict=True)]
    _add_slices(scored, cuts, rows, table)
    add_slices(first.slices, table, plan.code)
    for sample, own in zip(first.tested, rows, strict=True):
        table.add_rows(sample, own)
    coarse = [one.coarse for one in scored if one.coarse is not None]
    test_set_metrics.add_pooled(first.with_lesion, coarse, first.evidence.test, choices, table, plan.code)
    test_set_metrics.add_detection(first.tested, _subject_scores(rows), table)
    answered = [(who.subject, one.responses) for who, one in zip(first.tested, scored, strict=True) if one.responses]
    froc.add_froc(froc.thresholds(first.tissue), [one for _, one in answered], [subject for subject, _ in answered], table)
    test_set_metrics.add_reasons(choices, first.evidence, cuts.published is not None, table)
    unmarked = first.marked.count(False) if first.marked else np.nan
    table.add(WHOLE_TEST_SET, VOLUMES.name, UNMARKED.name, unmarked)
    subjects = healthy_validation_subjects(jobs)
    table.add(WHOLE_TEST_SET, VOLUMES.name, SHARED_VALIDATION.name, 0 if disjoint_parts(subjects) else len(subjects))
    first.means.write(Path(out).with_name(NAME))
    _write_lesions(first, scored, choices, table, out, plan.code)
    table.write(out)


def evaluate_transferred(
    maps: Path, packs: list[Path], options: dict, identity: dict, out: Path, *, base: Path, workers: int = 1
) -> None:
    """Write the long table of a corrupted test set: only numbers of single samples, under the thresholds of its base.

    Single lesions are written beside it.

    Args:
        base: long table of the same run on the test set that this one is made of.

    Raises:
        UserError: as `evaluate`, or the base is of another run or lacks a threshold's row.
    """
    table = LongTable(identity)
    jobs, grid = list_jobs(maps, packs, identity)
    choices = read_thresholds(base, [protocol.name for protocol in PROTOCOLS if protocol.transferred], identity)
    code = code_of(jobs, [score for score in choices.values() if np.isfinite(score)])
    plan = _plan(options, grid, code, alone=True)
    with _resources(out, workers) as (scratch, run):
        first = pool_samples(run, [job for job in jobs if job.identity.split == TEST], plan, scratch)
        chosen = {name: as_choice(base, score, code) for name, score in choices.items()}
        _say_thresholds(chosen, table, code)
        ordinals = {name: choice.ordinal for name, choice in chosen.items()}
        cuts = second_pass.Plan(ordinals, plan.sizes.min_component, grid, alone=True, code=code, convention=plan.convention)
        scored = _second_pass(run, first, cuts)
    for sample, one, two in zip(first.tested, first.rows, scored, strict=True):
        table.add_rows(sample, one + two.rows)
    _write_lesions(first, scored, chosen, table, out, code)
    table.write(out)


@contextmanager
def _resources(out: Path, workers: int) -> Generator[tuple[Scratch, Run]]:
    with reading(), Scratch(Path(out).parent) as scratch, team(workers) as run:
        yield scratch, run


def _plan(options: dict, grid: Grid, code: ScoreCode, alone: bool = False) -> first_pass.Plan:
    paper = published_protocols.chain_of(options["published"]) if options.get("published") and not alone else None
    own = {PUBLISHED.name: paper.slices} if paper and paper.slices else {}
    return first_pass.Plan(
        sizes=sizes_of(options),
        chain=published_sizes(grid.spacing_mm),
        paper=paper,
        slices={**{choice: choice for choice in options.get("slices") or ()}, **own},
        grid=grid,
        alone=alone,
        code=code,
        convention=convention(options.get("empty_masks") or OURS.name),
    )


def _cuts(first: PooledSamples, choices: dict[str, Choice], plan: first_pass.Plan, table: LongTable) -> second_pass.Plan:
    # components change no score, so theirs are chosen without a step
    names = sorted({*first.steps, *first.dices.totals} - {WHOLE})
    steps = {step: _step_thresholds(step, step, first) for step in names}
    if steps:
        steps[COMPONENTS] = _step_thresholds(COMPONENTS, NO_STEP, first)
    published = None
    if plan.published and plan.paper and plan.paper.threshold == "validation":
        published = (published_protocols.choose(first.published, plan.code), plan.published.min_component)
        table.add(WHOLE_TEST_SET, PUBLISHED.name, THRESHOLD.name, published[0])
    return second_pass.Plan(
        thresholds={name: choice.ordinal for name, choice in choices.items()},
        min_component=plan.sizes.min_component,
        chain_component=plan.chain.min_component,
        grid=plan.grid,
        code=plan.code,
        froc=min(froc.thresholds(first.tissue), default=None),
        slices=slice_dice.threshold_grid(first.evidence.test),
        coarse=coarse_groups(first.evidence.test, test_set_metrics.GROUPS),
        steps=steps,
        paper=plan.paper,
        published=published,
        slice_cuts={name: pool.best for name, pool in first.slices.items()},
        convention=plan.convention,
    )


def _step_thresholds(step: str, scores: str, first: PooledSamples) -> dict[str, int | None]:
    """Return the thresholds after one step of the post-processing from the scores after it or another."""
    counts, dices = first.steps.get(scores), first.dices.totals.get(scores)
    return {
        after_step(step, VALIDATION).name: None if counts is None else best_dice(counts),
        after_step(step, ORACLE_TEST).name: None if dices is None else int(np.argmax(dices)) - 1,
    }


def _second_pass(run: Run, first: PooledSamples, cuts: second_pass.Plan) -> list[Scored]:
    tasks = [Task(*one) for one in zip(first.tested, first.marked, first.locations, strict=True)]
    return list(progress(run(partial(score, plan=cuts), tasks), "scoring subjects", len(tasks)))


def _say_thresholds(choices: dict[str, Choice], table: LongTable, code: ScoreCode) -> None:
    for protocol, choice in choices.items():
        if choice.ordinal is None:
            warn(f"{protocol}: no threshold, because {choice.reason}; its values are NaN")
        value = np.nan if choice.ordinal is None else to_score(choice.ordinal, code)
        say(f"threshold {protocol}: {value:.4g}")
        table.add(WHOLE_TEST_SET, protocol, THRESHOLD.name, value)


def _add_slices(scored: list[Scored], cuts: second_pass.Plan, rows: list[list[first_pass.Row]], table: LongTable) -> None:
    """Add the Dice of slices at the best common threshold: for the test set, and for every sample behind its other rows."""
    best = slice_dice.best_entry([one.slices for one in scored if one.slices])
    threshold = mean = np.nan
    if best is not None:
        threshold, mean = to_score(int(cuts.slices[best.entry]), cuts.code), best.mean
        for one, own in zip(scored, rows, strict=True):
            if one.slices:
                own.append(row(ORACLE_SLICE, DICE_SLICE, float(one.slices.total[best.entry] / one.slices.slices)))
    table.add_all(WHOLE_TEST_SET, ORACLE_SLICE.name, {THRESHOLD.name: threshold, DICE_SLICE.name: mean})


def _write_lesions(
    first: PooledSamples, scored: list[Scored], choices: dict[str, Choice], table: LongTable, out: Path, code: ScoreCode
) -> None:
    lesions = [(sample, one.lesions) for sample, one in zip(first.tested, scored, strict=True)]
    protocol, small = second_pass.LESION_PROTOCOL.name, sum(row["counts"] == "0" for _, own in lesions for row in own)
    ordinal = choices[protocol].ordinal
    threshold = np.nan if ordinal is None else to_score(ordinal, code)
    say(f"single lesions: {sum(len(own) for _, own in lesions)}, {small} of them too small to count")
    single_lesions.write_single_lesions(
        lesions, dict(table.identity), protocol, threshold, Path(out).with_name(single_lesions.NAME)
    )


def _subject_scores(rows: list[list[first_pass.Row]]) -> dict[str, list[float]]:
    scores: dict[str, list[float]] = {}
    for protocol, metric, value in (one for own in rows for one in own):
        if metric == SUBJECT_SCORE.name:
            scores.setdefault(protocol, []).append(value)
    return scores
