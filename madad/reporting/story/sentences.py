"""The standing of the methods in words: one headline, and the answers to five questions, by rules alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from madad.evaluation.results.collected import block_title
from madad.evaluation.statistics.power import MOST_SUBJECTS
from madad.evaluation.statistics.variance import FEWEST_SUBJECTS
from madad.reporting.layout.table_writer import plain
from madad.reporting.story.standing import MEASURE, Floors, Lead, Standing, Value

Tone = Literal["good", "plain", "doubtful", "bad"]
TRACK_WORDS = {
    "healthy": "trained on healthy images alone",
    "pretrained": "with an encoder trained on other images",
    "lesion-masks": "trained with synthetic lesions",
    "image-labels": "trained with image labels",
    "supervised": "trained with lesion masks",
    "": "of unknown training",
}
WHO, MARGIN, NUMBER, FLOORS = (
    "Who leads?",
    "By how much, and is that certain?",
    "On how many subjects?",
    "Do trained methods beat the floors?",
)


@dataclass(frozen=True)
class Answer:
    """What is said of one test set on one question.

    Attributes:
        question: one of those above.
        place: the test set.
        short: the answer in a few words.
        text: the sentence behind it.
        tone: how good the news is.
    """

    question: str
    place: str
    short: str
    text: str
    tone: Tone


def share(value: float) -> str:
    """Return a value of the measure with the decimals that the tables have."""
    return plain(value, MEASURE.metric.digits).replace("-", "−")


def with_interval(value: Value) -> str:
    """Return `0.412 (95 % interval 0.360 to 0.481)`; the value alone where there is no interval."""
    if not (math.isfinite(value.low) and math.isfinite(value.high)):
        return share(value.mean)
    return f"{share(value.mean)} (95 % interval {share(value.low)} to {share(value.high)})"


def answers(standing: Standing) -> list[Answer]:
    """Return the answers for one test set; one alone where nothing could be scored."""
    place = block_title(*standing.block)
    if not standing.subjects:
        text = f"No test subject of {place} has a marked lesion, so that methods cannot be ranked by {MEASURE.title}."
        return [Answer(WHO, place, "not known", text, "doubtful")]
    if not standing.leads:
        return [Answer(WHO, place, "no trained method", f"No trained method has been scored on {place}.", "doubtful")]
    found = [Answer(WHO, place, *_who(standing)), Answer(MARGIN, place, *_certain(standing.leads[0]))]
    return [*found, Answer(NUMBER, place, *_number(standing)), Answer(FLOORS, place, *_beaten(standing.floors))]


def headline(found: Sequence[Standing]) -> tuple[str, Tone]:
    """Return the one sentence above all others: what can be said over all test sets, and whether floors are beaten."""
    ranked = [one for one in found if one.leads]
    if found and not any(one.subjects for one in found):
        return (
            "Methods cannot be compared: no test subject has a marked lesion. Maps and scores of every subject are below.",
            "doubtful",
        )
    if not ranked:
        return "Nothing can be compared yet: no trained method has been scored on subjects with lesions.", "doubtful"
    lasting = {one.leads[0].leader for one in ranked if one.leads[0].overall}
    where = [block_title(*one.block) for one in ranked if one.leads[0].overall]
    if len(where) == len(ranked) and len(lasting) == 1:
        everywhere = "" if len(ranked) == 1 else f" on all {len(ranked)} test sets"
        told, tone = f"{lasting.pop()} finds lesions best{everywhere}, outside the noise of subjects and of training", "good"
    elif where:
        told = "; ".join(f"{one.leads[0].leader} leads on {block_title(*one.block)}" for one in ranked if one.leads[0].overall)
        told, tone = f"{told}; on the other test sets no method leads outside the noise", "plain"
    elif all(one.leads[0].certainty.startswith("shown") for one in ranked):
        told = "; ".join(f"{one.leads[0].leader} is ahead on {block_title(*one.block)}" for one in ranked)
        told, tone = f"{told}, but not of every rival outside the noise of subjects and training", "doubtful"
    elif all(len(one.leads) == 1 and one.leads[0].certainty == "alone" for one in ranked):
        told, tone = f"{ranked[0].leads[0].leader} is the only trained method, so that nothing leads", "plain"
    else:
        told, tone = "These data cannot tell which method finds lesions best", "doubtful"
    said = _floors_in_short([one.floors for one in ranked if one.floors])
    return f"{told}{said[0]}.", said[1] or tone


def _floors_in_short(known: Sequence[Floors]) -> tuple[str, Tone | None]:
    if not known:
        return "; no floor was scored, so that it is not known whether training helps at all", "doubtful"
    shown = [one.shown for one in known]
    if not any(one.above for one in known):
        return f", and no trained method scores above a floor that trains no network ({known[0].floor})", "bad"
    if not any(shown):
        return ", nor whether training helps: no trained method beats the floors outside the noise", "doubtful"
    if all(shown):
        return f"; {_range(shown)} of {known[0].trained} trained methods beat the floors, which train no network", None
    beaten = sum(map(bool, shown))
    return f"; the floors, which train no network, are beaten on {beaten} of {len(shown)} test sets only", "doubtful"


def _range(numbers: Sequence[int]) -> str:
    return str(min(numbers)) if min(numbers) == max(numbers) else f"{min(numbers)} to {max(numbers)}"


def _who(standing: Standing) -> tuple[str, str, Tone]:
    first, *others = standing.leads
    text = f"{MEASURE.title} {with_interval(first.value)}, {TRACK_WORDS[first.track]}"
    if math.isfinite(standing.ceiling):
        text += f"; the reference mask itself would score {share(standing.ceiling)}"
    beside = [f"{TRACK_WORDS[one.track]}: {one.leader}, {share(one.value.mean)}" for one in others]
    return first.leader, "; ".join([text, *beside]) + ".", "good" if first.overall else "plain"


def _certain(lead: Lead) -> tuple[str, str, Tone]:
    if lead.certainty == "alone":
        return "no rival", f"{lead.leader} is the only method {TRACK_WORDS[lead.track]}.", "plain"
    ahead = f"{with_interval(lead.margin)} ahead of {lead.second}"
    if not math.isfinite(lead.margin.mean):
        return "not known", f"{lead.leader} and {lead.second} have no subject in common.", "doubtful"
    if lead.overall:
        return "yes", f"{ahead}; beats all {lead.rivals} others outside the noise of subjects and of training.", "good"
    if lead.certainty == "shown":
        rest = f"outside the noise, as are {lead.beaten} of {lead.rivals} rivals"
        return "over the next", f"{ahead}, {rest}.", "plain"
    if lead.certainty == "shown for these trainings":
        return "for this training", f"{ahead}; with one training run (seed) another training may turn it round.", "doubtful"
    if lead.certainty == "too few subjects":
        why = f"below {FEWEST_SUBJECTS} subjects no test can show anything"
        return "no", f"{ahead}, but {why}.{_needed(lead)}", "bad"
    return "no", f"{ahead}: within the noise.{_needed(lead)}", "doubtful"


def _needed(lead: Lead) -> str:
    if lead.margin.mean == 0:
        return " They score the same."
    if lead.needed is None:
        return f" A margin this small would need more than {MOST_SUBJECTS:,} subjects." if lead.subjects > 1 else ""
    return f" If the margin is real, about {_rounded(lead.needed):,} subjects would show it."


def _rounded(number: int) -> int:
    """Return a number of subjects with two significant digits: it is an estimate of an estimate."""
    digits = max(0, len(str(number)) - 2)
    return -(-number // 10**digits) * 10**digits


def _number(standing: Standing) -> tuple[str, str, Tone]:
    healthy = f" and {standing.healthy} healthy" if standing.healthy else ""
    count = standing.subjects
    text = f"{count} test subject{'s' if count > 1 else ''} with a lesion{healthy}."
    return f"n = {count}", text, "bad" if count < FEWEST_SUBJECTS else "plain"


def _beaten(floors: Floors | None) -> tuple[str, str, Tone]:
    if floors is None:
        return "not known", "No method without a trained network was scored on these subjects.", "doubtful"
    known = f"The highest floor is {floors.floor} with {share(floors.value)} (of {', '.join(floors.names)})"
    many = f"{floors.above} of {floors.trained} trained methods score"
    if not floors.above:
        return "no", f"{known}; no trained method scores above it, the best, {floors.best}, {_difference(floors)}.", "bad"
    if not floors.shown:
        text = f"{known}; {many} above it, {floors.best} {_difference(floors)}, none of them outside the noise."
        return "not shown", text, "doubtful"
    text = f"{known}; {many} above it, {floors.shown} outside the noise of subjects, {floors.best} {_difference(floors)}."
    return f"{floors.shown} of {floors.trained}", text, "good" if floors.shown == floors.trained else "plain"


def _difference(floors: Floors) -> str:
    margin = floors.margin
    sign = "+" if margin.mean > 0 else ""
    return f"by {sign}{with_interval(margin)}"
