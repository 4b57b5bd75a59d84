"""Corrupted test sets: some samples of a test set, each with every artefact at every severity and its own lesion mask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from madad.core.errors import UserError
from madad.core.intensity_scale import seen
from madad.core.io.hdf5 import Pack, Sample, write_pack
from madad.core.io.manifest import write_table
from madad.core.logs import progress
from madad.core.seeds import numpy_generator
from madad.core.shapes import Vector3
from madad.data.cohorts.finding.groups import HEALTHY, UNKNOWN
from madad.data.corruptions.severities import CORRUPTIONS, SEVERITIES, corrupt
from madad.data.preprocessing.steps import intensity

COLUMNS = ("name", "base", "subject", "group", "corruption", "severity", "strength")


def corrupt_pack(source: Path, out: Path, table: Path, options: dict) -> None:
    """Write the corrupted version of a test pack.

    The artefact is added to the preprocessed image. Of the preprocessing only the last step, the normalisation of intensities, is
    repeated; skull stripping, bias-field correction and registration are not.

    Args:
        source: test pack of a cohort or of its implanted version.
        out: pack to write; it contains only the corrupted samples, each with the covariates of its base.
        table: table of the samples and their bases, one row per sample.
        options: `kinds`, `severities`, `samples` (number of samples of the pack), `seed`, and `intensity`, the model that the
            pack's images were normalised with.

    Raises:
        UserError: the pack is empty.
    """
    rows: list[dict[str, str]] = []
    with Pack(source) as pack:
        if not len(pack):
            name = f"{pack.cohort}-corrupted"
            raise UserError(
                f"{source}: contains no image to corrupt; take '{name}' out of test_on or give the cohort test subjects"
            )
        write_pack(
            out,
            _samples(pack, options, rows),
            affine=pack.affine,
            modality=pack.modality,
            cohort=f"{pack.cohort}-corrupted",
            split=pack.split,
        )
    write_table(table, rows, COLUMNS)


def choose(groups: Sequence[str], subjects: Sequence[str], number: int, seed: int) -> list[int]:
    """Choose the samples to corrupt and return their indices in the order of the pack.

    Healthy samples and samples with lesions alternate while there are both; within each, the next one is from a subject that
    was chosen least often so far, in a random but fixed order. Samples of unknown group, which no number needs, are left out
    unless there are no others.

    Args:
        groups: group of every sample, `unknown` also where nothing is known of the lesions.
        subjects: subject of every sample.
        number: number of samples; all if there are fewer.
        seed: seed of the random order.
    """
    order = [int(index) for index in numpy_generator(seed, "corrupted samples").permutation(len(groups))]
    known = [index for index in order if groups[index] != UNKNOWN] or order
    queues = [[i for i in known if groups[i] == HEALTHY], [i for i in known if groups[i] != HEALTHY]]
    turns, chosen, used = cycle(queues), [], Counter()
    while len(chosen) < min(number, len(known)):
        queue = next(turns)
        if queue:
            index = min(queue, key=lambda i: used[subjects[i]])
            queue.remove(index)
            used[subjects[index]] += 1
            chosen.append(index)
    return sorted(chosen)


def _samples(pack: Pack, options: dict, rows: list[dict[str, str]]) -> Iterator[Sample]:
    subjects = pack.subjects
    groups = [group if pack.marked(index) else UNKNOWN for index, group in enumerate(pack.groups)]
    chosen = choose(groups, subjects, options["samples"], options["seed"])
    for index in progress(chosen, f"corrupting {pack.cohort}"):
        sample = pack.sample(index)
        for kind in options["kinds"]:
            for severity in options["severities"]:
                row = _row(sample, subjects[index], kind, severity)
                rows.append(row)
                yield _corrupted(sample, row, pack.spacing_mm, options)


def _row(sample: Sample, subject: str, kind: str, severity: int) -> dict[str, str]:
    return {
        "name": f"{sample.name}_{kind}-{severity}",
        "base": sample.name,
        "subject": subject,
        "group": sample.group,
        "corruption": kind,
        "severity": str(severity),
        "strength": f"{CORRUPTIONS[kind].strengths[SEVERITIES.index(severity)]:g}",
    }


def _corrupted(sample: Sample, row: dict[str, str], spacing_mm: Vector3, options: dict) -> Sample:
    # The severity is no coordinate of the seed: a subject's severities share the noise, the field and the movement.
    generator = numpy_generator(options["seed"], "corrupt", row["corruption"], sample.name)
    changed = corrupt(row["corruption"], int(row["severity"]), seen(sample.image), sample.brain, spacing_mm, generator)
    image = intensity.apply(options["intensity"], changed, sample.brain)
    known = {"base": row["base"], "corruption": row["corruption"], "severity": float(row["severity"])}
    return replace(sample, name=row["name"], image=image, covariates={**sample.covariates, **known})
