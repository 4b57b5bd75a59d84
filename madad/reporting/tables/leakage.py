"""The leakage guard: whether a test subject, a test image or a test label can have found its way into a model or a threshold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from madad.configuration.schema import Options
from madad.configuration.settings import IMPLANTED, base_of
from madad.configuration.tracks import FLOORS, HEALTHY, PRETRAINED
from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack
from madad.core.provenance import complete, content_hash
from madad.core.validation_parts import Part, chosen_for, disjoint_parts
from madad.evaluation.leakage import duplicates
from madad.evaluation.leakage.duplicate_images import SHOWN, Finding, images, listed, rest
from madad.evaluation.results.measures import by_key
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.layout import table_writer
from madad.reporting.layout.table_writer import Cell, Column, Table
from madad.reporting.tables.leaked_lesions import lesion_masks

PASSED, AFFECTED = "passed", "AFFECTED"
WHOLE = "whole validation"  # its subjects for thresholds too
NOTES = (
    f"{PASSED}: nothing found that makes a number better than it is. {AFFECTED}: the numbers in the last column cannot be "
    "trusted.",
    "A person in two splits of one cohort, or one lesion mask behind training and test, ends the run with an error, and is not "
    "in this table. Masks are one if their voxels are, or if they cover one place in MNI space with a Dice of 0.8.",
    f"Images are compared by what they have beyond the mean image of their cohort. From a correlation of {duplicates.COPY} on "
    f"two count as copies of one scan, from {duplicates.ALIKE} on as perhaps of one person. Lesioned and corrupted copies of "
    "test subjects are meant to be copies and are not compared.",
)


@dataclass(frozen=True)
class Setup:
    """What the configuration says of leaks.

    Attributes:
        tracks: labels that the training of every method saw.
        test_on: the test sets.
        roots: folder of every cohort that has one.
        lesion_masks: folder of shapes for synthetic lesions, or None.
        learns_shapes: methods whose training sees synthetic lesions.
    """

    tracks: Mapping[str, str]
    test_on: Sequence[str]
    roots: Mapping[str, str]
    lesion_masks: str | None
    learns_shapes: Sequence[str]


def write_leakage(
    used_packs: Sequence[Path],
    all_trainings: Sequence[Path],
    summary: Path,
    learnt_banks: Sequence[Path],
    implanted_tables: Sequence[Path],
    leakage_setup: Options,
    csv: Path,
    html: Path,
    fragment: Path,
) -> None:
    """Run every check and write the table, and in one sentence what came out, for the report's first page.

    Args:
        used_packs: of the cohorts themselves, every split that is used, every sequence.
        all_trainings: the `train.json` of every run.
        summary: see `madad.evaluation.statistics.summary`.
        learnt_banks: banks of lesion maps that methods learn from.
        implanted_tables: what was implanted into every implanted test set.
        leakage_setup: the fields of `Setup`.

    Raises:
        UserError: one person is in two splits of a cohort, or one lesion mask behind training and test.
    """
    known = Setup(**leakage_setup)
    findings = [
        *subjects(used_packs),
        *lesion_masks(learnt_banks, implanted_tables, used_packs, known.lesion_masks),
        *images(used_packs),
        *models(used_packs, all_trainings),
        *thresholds(summary),
        *labels(known),
    ]
    rows = [
        [
            Cell(one.check),
            Cell(one.scope),
            Cell(AFFECTED if one.affected else PASSED, state=one.state),
            Cell(one.found),
            Cell(one.affected or "none"),
        ]
        for one in findings
    ]
    columns = [Column(title, number=False) for title in ("Check", "Where", "Result", "Found", "Numbers affected")]
    table = Table("Leakage guard", columns, [("", rows)], list(NOTES))
    table_writer.write_html(table, html)
    table_writer.write_csv(table, csv)
    with complete(fragment) as partial:
        partial.write_text(in_short([one.affected for one in findings]), encoding="utf-8")


def in_short(affected: Sequence[str]) -> str:
    """Return the outcome of all checks as a paragraph of HTML: passed, or which numbers cannot be trusted, which stands out."""
    wrong = list(dict.fromkeys(numbers for numbers in affected if numbers))
    if wrong:
        sentence = f"Leakage guard: these numbers cannot be trusted: {'; '.join([*wrong[:SHOWN], *rest(wrong)])}."
        return f'<p style="color:#b00020;font-weight:bold">{escape(sentence)}</p>\n'
    return f"<p>Leakage guard: passed, all {len(affected)} checks.</p>\n"


def subjects(packs: Sequence[Path]) -> Iterator[Finding]:
    """Check that no subject is in two splits of a cohort, whatever the sequence or session.

    Raises:
        UserError: somebody does.
    """
    splits: dict[str, dict[str, list[str]]] = {}
    for image in listed(packs):
        splits.setdefault(image.cohort, {}).setdefault(image.split, []).append(image.subject)
    for cohort, own in splits.items():
        twice = duplicates.shared(own)
        if twice:
            pairs = "; ".join(f"{subject} in {' and '.join(where)}" for subject, where in list(twice.items())[:SHOWN])
            raise UserError(
                f"{cohort}: {len(twice)} subject{'s' * (len(twice) > 1)} in more than one split ({pairs}); what is trained on or "
                f"chosen by must not be tested on. Delete results/packs/{cohort} and correct the splits of the manifest"
            )
        counts = ", ".join(f"{len(set(names))} {split}" for split, names in own.items())
        yield Finding("One person, one split", cohort, f"subjects: {counts}; none twice")
    if not splits:
        yield Finding("One person, one split", "all", "there is no image, and no number rests on one")


def models(packs: Sequence[Path], trainings: Sequence[Path]) -> Iterator[Finding]:
    """Check that every model saw its cohort's training pack and was chosen on its validation pack, and saw no test pack."""
    contents: dict[str, tuple[str, str, str]] = {}
    for path in packs:
        with Pack(path) as pack:
            if len(pack):
                contents[learnt_content(pack)] = (pack.cohort, pack.modality, pack.split)
            if len(pack) and pack.split == "validation" and disjoint_parts([pack.subjects[index] for index in pack.healthy()]):
                contents[learnt_content(pack)] = (pack.cohort, pack.modality, WHOLE)
                contents[learnt_content(pack, "checkpoint")] = (pack.cohort, pack.modality, pack.split)
    problems: dict[tuple[str, str], list[str]] = {}
    for path in trainings:
        training = json.loads(Path(path).read_text())
        identity = training["identity"]
        who = f"{identity['method']} (seed {identity['seed']}, {identity['modality']}, {identity['cohort']})"
        for use, split in (("training", "train"), ("validation", "validation")):
            problem = _seen(training, use, split, contents)
            if problem:
                problems.setdefault(problem, []).append(who)
    for (words, numbers), whose in sorted(problems.items()):
        listed = ", ".join([*whose[:SHOWN], *rest(whose)])
        yield Finding("Models and test data", "all", f"{words}: {listed}", f"{numbers} of {listed}")
    if not problems:
        found = f"{len(trainings)} trainings, each on its cohort's training pack with checkpoints chosen on its validation pack"
        yield Finding("Models and test data", "all", found)


def learnt_content(pack: Pack, part: Part | None = None) -> str:
    """Return the hash that a training records of what it read of a pack: its healthy subjects, or a part of them.

    As `madad.engine.training_data` computes it.
    """
    healthy = pack.healthy()
    wanted = chosen_for(part, [pack.subjects[index] for index in healthy]) if part else set(pack.subjects)
    return content_hash([pack.content, [pack.names[index] for index in healthy if pack.subjects[index] in wanted]])


def thresholds(summary: Path) -> Iterator[Finding]:
    """Check that thresholds that have seen test labels are called so, in the title or note of every number made with them."""
    known = by_key()
    shown = [known[key] for key in dict.fromkeys(read_summary(summary)["measure"]) if key in known]
    oracles = [measure for measure in shown if measure.protocol.oracle]
    silent = [one.title for one in oracles if not any(word in one.title + one.note for word in ("oracle", "test set itself"))]
    if silent:
        told = f"not called oracles although they are: {'; '.join(silent)}"
        yield Finding("Thresholds and test labels", "all", told, "; ".join(silent))
    else:
        titles = [measure.title for measure in oracles]
        listed = "; ".join([*titles[:SHOWN], *rest(titles)]) or "none"
        found = f"best on the test labels, and called so: {listed}. "
        found += "Every other threshold of a Dice comes from validation subjects; FROC and sensitivities at a specificity are "
        found += "points of curves of the test set"
        yield Finding("Thresholds and test labels", "all", found)


def labels(setup: Setup) -> Iterator[Finding]:
    """Say which trainings saw labels, as their tracks say, and check whether shapes they learn from are a test cohort's own."""
    seeing = [f"{method} ({track})" for method, track in setup.tracks.items() if track not in (FLOORS, HEALTHY, PRETRAINED)]
    elsewhere = [method for method, track in setup.tracks.items() if track == PRETRAINED]
    told = [f"by their track: {', '.join(seeing)}"] if seeing else []
    told += [f"not known of what the weights of {', '.join(elsewhere)} saw before (pretrained)"] if elsewhere else []
    found = f"{'; '.join(told)}; all others see healthy images alone" if told else "none"
    yield Finding("Labels in training", "all", found)
    learners = ", ".join(setup.learns_shapes)
    for cohort, root in setup.roots.items() if setup.lesion_masks else ():
        tested = [testset for testset in setup.test_on if base_of(testset) == cohort]
        folder, data = Path(setup.lesion_masks or "").resolve(), Path(root).resolve()
        if tested and learners and (data in (folder, *folder.parents) or folder in data.parents):
            told = f"the shapes of synthetic lesions ({setup.lesion_masks}) are this cohort's own lesions"
            yield Finding("Lesion shapes", cohort, told, f"every number of {learners} on {', '.join(tested)}")
    implanted = [testset for testset in setup.test_on if base_of(testset).endswith(IMPLANTED)]
    if learners and implanted:
        found = f"{learners} learn from the generator that made these lesions, with other masks and people; "
        yield Finding("Lesion shapes", ", ".join(implanted), f"{found}real lesions show what they find beyond it")


def _seen(training: Options, use: str, split: str, contents: Mapping[str, tuple[str, str, str]]) -> tuple[str, str] | None:
    """Return what is wrong with a pack that a training saw, and which of its numbers it affects; None when all is well."""
    content = training.get("data", {}).get(use, {}).get("content")
    if content not in contents:
        return f"{use} data that is no pack of this run and cannot be compared with the test data", "every number"
    cohort, modality, where = contents[content]
    identity = training["identity"]
    if where == "test":
        return f"saw the test pack of {cohort} in {use}", "every number"
    if (cohort, modality, where) == (identity["cohort"], identity["modality"], split):
        return None
    if where == WHOLE and use == "validation":
        return f"saw the validation subjects of {cohort} that choose thresholds", "thresholds of the healthy"
    numbers = "every number under a threshold" if where in ("validation", WHOLE) else "the choice of the checkpoint"
    return f"saw the {where} pack of {cohort}, {modality}, in {use}", numbers
