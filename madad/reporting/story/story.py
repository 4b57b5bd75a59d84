"""The first page in words: what was compared, who leads, what to distrust; as data, and as a fragment of HTML."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from madad.configuration.schema import Options
from madad.core.io.manifest import Row
from madad.core.logs import duration
from madad.core.provenance import complete
from madad.evaluation.results.collected import read_metrics, read_trainings, select
from madad.evaluation.results.metric_table import SECONDS
from madad.evaluation.results.protocol_table import INFERENCE
from madad.evaluation.statistics.summary import read_summary
from madad.reporting.layout import table_writer
from madad.reporting.quality.summary import read_quality
from madad.reporting.story import doubts, energy
from madad.reporting.story.doubts import Doubt
from madad.reporting.story.sentences import Answer, Tone, answers, headline
from madad.reporting.story.standing import MEASURE, Standing, standings
from madad.reporting.tables.significance import read

TRUST = "Can I trust it?"
LOG_WORDS = 300  # characters of a log's last line


@dataclass(frozen=True)
class Facts:
    """What the configuration says of a run.

    Attributes:
        preset: sizes.
        seeds: one training run each.
        train_on, test_on, modalities: as configured.
        kinds: kind of every cohort.
        missing: see `madad.reporting.story.doubts.of_partial`, with the `log` of each; empty unless `partial`.
    """

    preset: str
    seeds: Sequence[int]
    train_on: Sequence[str]
    test_on: Sequence[str]
    modalities: Sequence[str]
    kinds: Mapping[str, str]
    missing: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Story:
    """Everything the first page says.

    Attributes:
        title: methods, sequences and data.
        headline: one sentence, and its `tone`.
        compared: what was compared, label and value.
        answers: to the questions, test set by test set.
        trust: the answer to the last question in a few words, and its tone.
        doubts: what to distrust, the worst first, and the checks that passed.
    """

    title: str
    headline: str
    tone: Tone
    compared: list[tuple[str, str]]
    answers: list[Answer]
    trust: tuple[str, Tone]
    doubts: list[Doubt]


def write_story(
    summary: Path,
    comparisons: Path,
    metrics: Path,
    ceilings: Path,
    leakage_table: Path,
    all_trainings: Sequence[Path],
    judged: Sequence[Path],
    excluded: Sequence[Path],
    run_facts: Options,
    tracks: Mapping[str, str],
    trained: Mapping[str, bool],
    out: Path,
    fragment: Path,
) -> None:
    """Write the story as JSON, and as a fragment that the first page of the report shows.

    Args:
        summary, comparisons, metrics, ceilings: see `madad.reporting.story.standing.standings`.
        leakage_table: what `madad.reporting.tables.leakage` wrote.
        all_trainings: the `train.json` of every run and part.
        judged, excluded: see `madad.reporting.quality.summary.read_quality`.
        run_facts: the fields of `Facts`.
        tracks, trained: see `madad.evaluation.statistics.per_subject.Field`.
    """
    facts, lines, table, pairs = Facts(**run_facts), read_summary(summary), read_metrics(metrics), read(comparisons)
    found = standings(lines, pairs, table, read_summary(ceilings), tracks, trained)
    images, trainings = read_quality(judged, excluded), read_trainings(all_trainings)
    known = _doubts(facts, found, lines, pairs, trainings, trained, images, pd.read_csv(leakage_table, keep_default_na=False))
    first, tone = headline(found)
    made = Story(
        title=_title(facts, tracks),
        headline=first,
        tone=tone,
        compared=compared(facts, found, images, trainings, table, trained),
        answers=[one for standing in found for one in answers(standing)],
        trust=trust(known),
        doubts=known,
    )
    with complete(out) as partial:
        partial.write_text(json.dumps(asdict(made), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with complete(fragment) as partial:
        partial.write_text(as_html(asdict(made)), encoding="utf-8")


def as_html(story: Mapping[str, Any], places: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the story as a fragment that brings its own style.

    Args:
        story: the fields of `Story`, as its file holds them.
        places: links by the `page` of a doubt; doubts without one are no links.
    """
    asked = dict.fromkeys(one["question"] for one in story["answers"])
    questions = {question: [one for one in story["answers"] if one["question"] == question] for question in asked}
    template = table_writer.templates().get_template("story.html")
    return template.render(story=story, questions=questions, trust=TRUST, places=places, style=table_writer.asset("story.css"))


def trust(known: Sequence[Doubt]) -> tuple[str, Tone]:
    """Return in a few words whether the numbers can be trusted: by the worst of the doubts."""
    bad = [one.topic.lower() for one in known if one.tone == "bad"]
    if bad:
        return f"not yet: {', '.join(dict.fromkeys(bad))}", "bad"
    care = [one.topic.lower() for one in known if one.tone == "doubtful"]
    return (f"with care: {', '.join(dict.fromkeys(care))}", "doubtful") if care else ("nothing found against it", "good")


def compared(
    facts: Facts,
    found: Sequence[Standing],
    images: Sequence[Row],
    trainings: pd.DataFrame,
    metrics: pd.DataFrame,
    trained: Mapping[str, bool],
) -> list[tuple[str, str]]:
    """Return what was compared with what, label and value."""
    methods = [str(name) for name in metrics["method"].unique()]
    networks = [name for name in methods if trained.get(name, True)]
    seeds = f"{len(facts.seeds)} ({', '.join(map(str, facts.seeds))})" if len(facts.seeds) > 1 else "1"
    return [
        ("Methods", f"{len(networks)} trained, {len(methods) - len(networks)} without a network (floors)"),
        ("Trained on", "; ".join(_trained_on(cohort, images) for cohort in facts.train_on)),
        ("Tested on", "; ".join(map(_tested_on, found)) or "–"),
        ("Sequences", ", ".join(facts.modalities)),
        ("Training runs (seeds)", seeds),
        ("Preset", facts.preset),
        ("Time", _time(trainings, metrics)),
        ("Energy", energy.in_words(energy.watt_hours(trainings, metrics))),
    ]


def _tested_on(one: Standing) -> str:
    if not (one.subjects or one.healthy):
        return f"{one.block[2]} (nothing is known of its subjects)"
    return f"{one.block[2]} ({one.subjects} with a lesion, {one.healthy} healthy)"


def _trained_on(cohort: str, images: Sequence[Row]) -> str:
    own = {row["subject"] for row in images if row["cohort"] == cohort and row.get("split") == "train"}
    used = {row["subject"] for row in images if row["subject"] in own and row["state"] in ("ok", "flagged")}
    return f"{cohort} ({len(used)} healthy)" if used else cohort


def _time(trainings: pd.DataFrame, metrics: pd.DataFrame) -> str:
    learning = float(pd.to_numeric(trainings.get("seconds", pd.Series(dtype=float)), errors="coerce").sum())
    applying = float(select(metrics, SECONDS, INFERENCE)["value"].sum())
    return f"training {duration(learning)}, anomaly maps {duration(applying)}"


def _title(facts: Facts, tracks: Mapping[str, str]) -> str:
    return f"{len(tracks)} methods on {', '.join(facts.test_on)} ({', '.join(facts.modalities)})"


def _doubts(
    facts: Facts,
    found: Sequence[Standing],
    summary: pd.DataFrame,
    pairs: pd.DataFrame,
    trainings: pd.DataFrame,
    trained: Mapping[str, bool],
    images: Sequence[Row],
    leakage: pd.DataFrame,
) -> list[Doubt]:
    known = [
        *doubts.of_partial(facts.missing, [_last_words(Path(one["log"])) for one in facts.missing]),
        *doubts.of_data(facts.kinds, facts.test_on),
        *doubts.of_trainings(trainings, trained),
        *doubts.of_subjects(found, _detectable(found, pairs)),
        doubts.of_leakage(leakage),
        doubts.of_quality(images),
        *doubts.of_missing_values(summary),
    ]
    order: list[Tone] = ["bad", "doubtful", "plain", "good"]
    return sorted(known, key=lambda one: order.index(one.tone))


def _detectable(found: Sequence[Standing], pairs: pd.DataFrame) -> float:
    """Return the detectable difference between the leader and the next of the first test set; NaN where unknown."""
    for one in found:
        if one.leads and one.leads[0].second:
            names = [one.leads[0].leader, one.leads[0].second]
            own = pairs[(pairs["measure"] == MEASURE.key) & (pairs["testset"] == one.block[2])]
            own = own[own["first"].isin(names) & own["second"].isin(names)]
            return float(own["detectable_difference"].iloc[0]) if len(own) else math.nan
    return math.nan


def _last_words(log: Path) -> str:
    """Return the last line of a log; empty where there is none."""
    if not log.is_file():
        return ""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return f"{lines[-1][:LOG_WORDS]} ({log})" if lines else ""
