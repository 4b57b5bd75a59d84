"""Protocol v1: every number of one method on one test set, from stored maps and packs alone.

Two passes over the subjects, one subject in memory at a time. The first post-processes every map and counts scores; the
counts give the thresholds and the pooled metrics. The second scores each test subject under every threshold. Where the
method's paper has a protocol of its own, `madad.evaluation.published` adds its numbers on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from madad.errors import UserError
from madad.evaluation import pooled
from madad.evaluation.fidelity import fidelity, whole_volume_l1
from madad.evaluation.long_table import EVERYBODY, LongTable, Who
from madad.evaluation.postprocessing import Sizes, post_process, remove_small, sizes_for
from madad.evaluation.published import PROTOCOL as PUBLISHED
from madad.evaluation.published import Published
from madad.evaluation.scores import Scored, ScoreStore, count, no_counts, to_score
from madad.evaluation.subject_metrics import subject_scores
from madad.evaluation.thresholds import ORACLE_SUBJECT, Choice, Evidence, best_dice, choose
from madad.evaluation.voxel_metrics import RANKING, binary_metrics, confusion
from madad.logs import progress, say, warn
from madad.stores import Maps, Pack

TEST, VALIDATION = "test", "validation"


def evaluate(maps: Path, packs: list[Path], options: dict, identity: dict, out: Path) -> None:
    """Write the long table of one method on one test set.

    Args:
        maps: what the method made of the packs.
        packs: validation and test packs of the test set; a missing or empty validation pack costs its protocols alone.
        options: `erosion`, `median`, `min_component` (voxels, None for the published sizes), `bootstrap` (resamples), and
            `published` (a chain of `madad.evaluation.published`; absent or None for none).
        identity: `cohort`, `modality`, `method`, `seed`, `testset`.
        out: tab-separated file, columns of `madad.evaluation.long_table`.

    Raises:
        UserError: maps and packs do not belong together, or a map is not finite.
    """
    table = LongTable(identity)
    with ExitStack() as stack:
        predictions = stack.enter_context(Maps(maps))
        opened = [stack.enter_context(Pack(path)) for path in packs]
        store = stack.enter_context(ScoreStore(Path(out).parent))
        columns = max((pack.shape[2] for pack in opened), default=0)
        sizes = sizes_for(options, columns)
        published = Published(options["published"], columns, store) if options.get("published") else None
        scored, evidence = _first_pass(predictions, opened, sizes, store, published)
        choices = choose(evidence)
        _say_thresholds(choices, table)
        tested = [one for one in scored if one.who.split == TEST]
        for one in progress(tested, "scoring subjects"):
            _score_subject(one, store, choices, sizes, table)
            _describe_reconstruction(one, predictions, published is not None, table)
        pooled.add_pooled(tested, store, evidence.test, choices, options["bootstrap"], table)
        if published:
            published.write(table)
    table.write(out)


def _first_pass(
    maps: Maps, packs: list[Pack], sizes: Sizes, store: ScoreStore, published: Published | None
) -> tuple[list[Scored], Evidence]:
    scored: list[Scored] = []
    evidence = Evidence(no_counts(), no_counts(), no_counts())
    samples = [(pack, index) for pack in packs for index in range(len(pack))]
    for pack, index in progress(samples, "post-processing maps"):
        who, brain, lesion = _who(pack, index), pack.brain(index), pack.lesion(index)
        anomaly_map = _finite_map(maps, pack, index, brain.shape)
        volume = post_process(anomaly_map, brain, sizes)
        if published and who.group != "healthy":
            alike = (sizes.erosion, sizes.median) == (published.sizes.erosion, published.sizes.median)
            published.add(who, volume if alike else post_process(anomaly_map, brain, published.sizes), lesion)
        ordinals, reference = volume[brain], lesion[brain]
        scored.append(Scored(who, pack, index, store.append(ordinals, reference), bool(reference.any())))
        counts = count(ordinals, reference)
        if who.split == TEST and reference.any():
            np.add(evidence.test, counts, out=evidence.test)
        elif who.split == VALIDATION and (reference.any() or who.group == "healthy"):
            kept = evidence.validation if reference.any() else evidence.healthy
            np.add(kept, counts, out=kept)
    return scored, evidence


def _who(pack: Pack, index: int) -> Who:
    name = pack.names[index]
    return Who(name, str(pack.covariates[index].get("subject") or name), pack.groups[index], pack.split)


def _finite_map(maps: Maps, pack: Pack, index: int, shape: tuple[int, ...]) -> np.ndarray:
    name = pack.names[index]
    anomaly_map = maps.anomaly_map(maps.row(pack.split, name))
    if anomaly_map.shape != shape:
        raise UserError(
            f"{maps.path}: the map of {name} has shape {anomaly_map.shape}, its image {shape}; delete the file and run again"
        )
    if not np.isfinite(anomaly_map).all():
        raise UserError(f"{maps.path}: the map of {name} holds NaN or infinite values and cannot be ranked; the method diverged")
    return anomaly_map


def _say_thresholds(choices: dict[str, Choice], table: LongTable) -> None:
    for protocol, choice in choices.items():
        if choice.ordinal is None:
            warn(f"{protocol}: no threshold, because {choice.reason}; its values are NaN")
        value = np.nan if choice.ordinal is None else to_score(choice.ordinal)
        say(f"threshold {protocol}: {value:.4g}")
        table.add(EVERYBODY, protocol, "threshold", value)


def _score_subject(one: Scored, store: ScoreStore, choices: dict[str, Choice], sizes: Sizes, table: LongTable) -> None:
    ordinals, reference = store.read(one.place)
    brain = one.pack.brain(one.index)
    for protocol, value in subject_scores(ordinals).items():
        table.add(one.who, protocol, "subject_score", value)
    table.add_all(one.who, "volumes", _volumes(one.pack, brain, reference))
    counts = count(ordinals, reference)
    if one.who.group != "healthy" and not one.has_lesion:
        warn(f"{one.who.sample}: a {one.who.group} sample without a lesion voxel in the brain; AUPRC and AUROC are NaN")
    if one.who.group != "healthy":
        table.add_all(one.who, "per_subject", {name: float(metric(counts)) for name, metric in RANKING.items()})
    for protocol, ordinal in _cuts(one, counts, choices):
        if ordinal is None:
            table.add_all(one.who, protocol, dict.fromkeys(_metrics_shown(one), np.nan))
            continue
        kept = _binarised(ordinals, brain, ordinal, sizes.min_component)
        values = binary_metrics(confusion(kept, reference))
        table.add_all(one.who, protocol, {name: values[name] for name in _metrics_shown(one)})


def _metrics_shown(one: Scored) -> tuple[str, ...]:
    """A healthy subject has no lesion to overlap with; what matters there are false positives."""
    return ("false_positive_rate",) if one.who.group == "healthy" else ("dice", "precision", "sensitivity", "false_positive_rate")


def _cuts(one: Scored, counts: np.ndarray, choices: dict[str, Choice]) -> Iterator[tuple[str, int | None]]:
    for protocol, choice in choices.items():
        yield protocol, choice.ordinal
    if one.has_lesion:
        yield ORACLE_SUBJECT, best_dice(counts)


def _binarised(ordinals: np.ndarray, brain: np.ndarray, threshold: int, min_component: int) -> np.ndarray:
    above = ordinals.astype(np.int32) > threshold
    if min_component <= 1:
        return above
    volume = np.zeros(brain.shape, dtype=bool)
    volume[brain] = above
    return remove_small(volume, min_component)[brain]


def _volumes(pack: Pack, brain: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    voxel_ml = float(np.prod(pack.spacing_mm)) / 1000
    return {"brain_ml": float(brain.sum()) * voxel_ml, "lesion_ml": float(reference.sum()) * voxel_ml}


def _describe_reconstruction(one: Scored, maps: Maps, published: bool, table: LongTable) -> None:
    """Cost of every test subject, and fidelity of the healthy ones where the method reconstructs."""
    row = maps.row(one.who.split, one.who.sample)
    cost = {"seconds": float(maps.seconds[row]), "peak_memory_mb": float(maps.peak_memory_mb[row])}
    table.add_all(one.who, "inference", cost)
    reconstruction = maps.reconstruction(row) if one.who.group == "healthy" else None
    if reconstruction is None:
        return
    image = one.pack.image(one.index)
    table.add_all(one.who, "healthy_brain", fidelity(image, reconstruction, one.pack.brain(one.index)))
    if published:
        table.add(one.who, PUBLISHED, "l1", whole_volume_l1(image, reconstruction))
