"""What to distrust in a run: few subjects, one seed, phantoms, short trainings, leaks, failures and what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from madad.configuration.settings import IMPLANTED, base_of
from madad.core.io.manifest import Row
from madad.core.logs import duration
from madad.evaluation.results.collected import block_title
from madad.evaluation.statistics.variance import FEWEST_SUBJECTS
from madad.reporting.story.sentences import Tone
from madad.reporting.story.standing import MEASURE, Standing

# What a kind of cohort that is no ordinary MRI of people is.
ARTIFICIAL = {"phantom": "heads made by a computer, not people: no number here says how a method does on patients"}
SHORT_S = 3600  # published trainings take hours to days
LISTED = 6


@dataclass(frozen=True)
class Doubt:
    """One reason for care, or one check that passed.

    Attributes:
        topic: a few words.
        text: a sentence.
        tone: `bad` where numbers mean less than they seem to.
        page: file of the results that shows more, relative to `results`; empty for none.
    """

    topic: str
    text: str
    tone: Tone
    page: str = ""


def of_data(kinds: Mapping[str, str], test_on: Sequence[str]) -> list[Doubt]:
    """Return what test sets are made of where they are no ordinary images of patients.

    Args:
        kinds: kind of every cohort by name.
        test_on: the test sets.
    """
    found = []
    for cohort, kind in kinds.items():
        if kind in ARTIFICIAL:
            found.append(Doubt("Artificial data", f"{cohort}: {ARTIFICIAL[kind]}.", "bad"))
    made = [name for name in test_on if base_of(name).endswith(IMPLANTED)]
    if made:
        text = f"{', '.join(made)}: lesions are made by a generator and put into healthy images; real ones may be harder to find."
        found.append(Doubt("Synthetic lesions", text, "doubtful"))
    return found


def of_trainings(trainings: pd.DataFrame, trained: Mapping[str, bool]) -> list[Doubt]:
    """Return whether networks were trained for minutes only, and with one seed.

    Args:
        trainings: see `madad.evaluation.results.collected.read_trainings`.
        trained: whether another seed would give another model.
    """
    own = trainings[[trained.get(name, True) for name in trainings["method"]]] if len(trainings) else trainings
    if own.empty:
        return []
    found, seconds = [], pd.to_numeric(own["seconds"], errors="coerce")
    if seconds.max() < SHORT_S:
        text = f"the longest of {len(own)} trainings took {duration(seconds.max())}; published ones take hours to days. "
        found.append(
            Doubt("Short trainings", f"{text}Methods rank here by how fast they learn, not by what they can reach.", "bad")
        )
    if own.groupby(["cohort", "modality", "method"])["seed"].nunique().max() == 1:
        text = "one training run per method: how far another seed would move the numbers is unknown, and nothing is set in bold."
        found.append(Doubt("One seed", f"{text} Set seeds: [0, 1, 2] in the configuration.", "doubtful"))
    return found


def of_subjects(found: Sequence[Standing], detectable: float) -> list[Doubt]:
    """Return whether there are too few test subjects to compare methods.

    Args:
        found: the test sets.
        detectable: smallest difference that the tests find with 80 % power on the first test set; NaN where unknown.
    """
    few = [f"{block_title(*one.block)} ({one.subjects})" for one in found if 0 < one.subjects < FEWEST_SUBJECTS]
    if few:
        text = f"fewer than {FEWEST_SUBJECTS} with a lesion in {', '.join(few)}: no interval, and no test can show anything."
        return [Doubt("Few subjects", text, "bad")]
    if math.isfinite(detectable):
        text = f"the tests find differences of {detectable:.2g} {MEASURE.title} between leader and next with 80 % power, no less."
        return [Doubt("Power", text, "plain")]
    return []


def of_leakage(rows: pd.DataFrame) -> Doubt:
    """Return the outcome of the leakage guard.

    Args:
        rows: its table, columns `Check`, `Result` and `Numbers affected`.
    """
    page, wrong = "tables/leakage.html", rows[rows["Result"] != "passed"]
    if wrong.empty:
        return Doubt("Leakage guard", f"passed, all {len(rows)} checks.", "good", page)
    numbers = list(dict.fromkeys(wrong["Numbers affected"]))
    rest = f" and {len(numbers) - LISTED} more" if len(numbers) > LISTED else ""
    return Doubt("Leakage guard", f"these numbers cannot be trusted: {'; '.join(numbers[:LISTED])}{rest}.", "bad", page)


def of_quality(rows: Sequence[Row]) -> Doubt:
    """Return how many images failed, were excluded or flagged.

    Args:
        rows: see `madad.reporting.quality.summary.read_quality`.
    """
    page, counts = "quality/index.html", pd.Series([row["state"] for row in rows], dtype=str).value_counts()
    told = [f"{counts[state]} {state}" for state in ("failed", "unusable", "excluded", "flagged") if counts.get(state)]
    if not told:
        return Doubt("Images", f"all {len(rows)} images passed the quality limits.", "good", page)
    lost = sum(int(counts.get(state, 0)) for state in ("failed", "unusable"))
    return Doubt("Images", f"of {len(rows)} images {', '.join(told)}.", "doubtful" if lost else "plain", page)


def of_missing_values(summary: pd.DataFrame) -> list[Doubt]:
    """Return which methods lack a value for some samples with a lesion, so that their means are of fewer.

    Args:
        summary: see `madad.evaluation.statistics.summary`.
    """
    own = summary[(summary["measure"] == MEASURE.key) & (summary["missing"] > 0)]
    told = [f"{line.method} on {line.testset} ({line.missing})" for line in own.itertuples()]
    if not told:
        return []
    rest = f" and {len(told) - LISTED} more" if len(told) > LISTED else ""
    return [Doubt("Missing values", f"samples without {MEASURE.title}: {', '.join(told[:LISTED])}{rest}.", "doubtful")]


def of_partial(missing: Sequence[Mapping[str, str]], reasons: Sequence[str]) -> list[Doubt]:
    """Return what a partial report lacks, and why.

    Args:
        missing: trainings and evaluations that are not finished: `what`, `method`, `seed`, `cohort`, `modality`, `testset`.
        reasons: last words of the log of each; empty where it never started.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for one, reason in zip(missing, reasons, strict=True):
        where = one["testset"] or f"{one['cohort']}, {one['modality']}"
        groups.setdefault((one["what"], reason or "not started"), []).append(f"{one['method']}, seed {one['seed']} ({where})")
    found = []
    for (what, reason), names in groups.items():
        rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        found.append(Doubt("Partial report", f"{what}: {'; '.join(names[:LISTED])}{rest}. Reason: {reason}", "bad"))
    return found
