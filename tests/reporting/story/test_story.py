"""The first page in words: every sentence follows from the numbers by a rule."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from madad.evaluation.results.collected import read_metrics
from madad.evaluation.results.long_table import COLUMNS
from madad.evaluation.statistics.summary import COLUMNS as SUMMARY
from madad.evaluation.statistics.summary import read_summary, summarise
from madad.reporting.story import doubts, sentences
from madad.reporting.story.doubts import Doubt
from madad.reporting.story.sentences import FLOORS, MARGIN, NUMBER, WHO, answers, headline
from madad.reporting.story.standing import Standing, standings
from madad.reporting.story.story import Facts, compared, trust, write_story
from madad.reporting.tables.significance import read, write_significance
from tests.reporting.long_rows import of_samples, write

FLOOR, OTHERS = "intensity", ("good", "weak")
TRAINED = {FLOOR: False, "good": True, "weak": True}
TRACKS = {FLOOR: "none", "good": "healthy", "weak": "healthy"}


def scored(folder: Path, values: dict[str, list[list[float]]], tracks: dict[str, str] = TRACKS) -> Standing:
    """The standing of methods whose values are given seed by seed, subject by subject."""
    return standings(*tables(folder, values, tracks), tracks, TRAINED)[0]


def tables(folder: Path, values: dict[str, list[list[float]]], tracks: dict[str, str]) -> tuple[pd.DataFrame, ...]:
    rows = [
        row for method, runs in values.items() for seed, own in enumerate(runs) for row in of_samples(method, own, seed=str(seed))
    ]
    metrics = read_metrics(write(folder / "metrics.csv", rows))
    summarise(folder / "metrics.csv", folder / "summary.csv", tracks, TRAINED)
    write_significance(folder / "metrics.csv", 50, folder / "pairs.csv", folder / "ranks.csv", tracks, TRAINED)
    ceilings = pd.DataFrame(columns=list(SUMMARY))
    return read_summary(folder / "summary.csv"), read(folder / "pairs.csv"), metrics, ceilings


def spread(mean: float, number: int, noise: float, shift: int = 0) -> list[float]:
    """Values around a mean, different from subject to subject and from shift to shift."""
    return [mean + noise * ((7 * subject + 3 * shift) % 11 - 5) / 5 for subject in range(number)]


def told(standing: Standing) -> dict[str, sentences.Answer]:
    return {one.question: one for one in answers(standing)}


def test_a_sure_winner_is_said_to_win(tmp_path: Path) -> None:
    values = {
        FLOOR: [spread(0.1, 12, 0.01)],
        "good": [spread(0.6, 12, 0.01, seed) for seed in (1, 2, 3)],
        "weak": [spread(0.3, 12, 0.01, seed) for seed in (4, 5, 6)],
    }
    standing = scored(tmp_path, values)
    found = told(standing)
    assert (found[WHO].short, found[MARGIN].short, found[NUMBER].short) == ("good", "yes", "n = 12")
    assert found[FLOORS].short == "2 of 2" and found[FLOORS].tone == "good"
    assert "0.300 (95 % interval 0.2" in found[MARGIN].text and "ahead of weak" in found[MARGIN].text
    sentence, tone = headline([standing])
    assert sentence.startswith("good finds lesions best, outside the noise") and "2 of 2 trained methods beat" in sentence
    assert tone == "good"


def test_with_one_seed_nobody_wins(tmp_path: Path) -> None:
    values = {FLOOR: [spread(0.1, 12, 0.01)], "good": [spread(0.6, 12, 0.01, 1)], "weak": [spread(0.3, 12, 0.01, 4)]}
    standing = scored(tmp_path, values)
    assert told(standing)[MARGIN].short == "for this training"
    assert headline([standing])[0].startswith("good is ahead on own, T1w, but not of every rival outside the noise")


def test_noise_names_the_subjects_that_would_do(tmp_path: Path) -> None:
    values = {FLOOR: [spread(0.3, 12, 0.2)], "good": [spread(0.33, 12, 0.2, 1)], "weak": [spread(0.31, 12, 0.2, 4)]}
    standing = scored(tmp_path, values)
    found = told(standing)
    assert found[MARGIN].short == "no" and "within the noise" in found[MARGIN].text
    lead = standing.leads[0]
    assert lead.needed is not None and lead.needed > 12
    assert f"about {sentences._rounded(lead.needed):,} subjects would show it" in found[MARGIN].text
    assert found[FLOORS].short == "not shown"
    assert "nor whether training helps" in headline([standing])[0]


def test_a_floor_above_all_is_bad_news(tmp_path: Path) -> None:
    values = {FLOOR: [spread(0.5, 8, 0.01)], "good": [spread(0.4, 8, 0.01, 1)], "weak": [spread(0.3, 8, 0.01, 4)]}
    standing = scored(tmp_path, values)
    answer = told(standing)[FLOORS]
    assert (answer.short, answer.tone) == ("no", "bad") and "by −0.1" in answer.text
    sentence, tone = headline([standing])
    assert "no trained method scores above a floor" in sentence and tone == "bad"


def test_few_subjects_show_nothing(tmp_path: Path) -> None:
    values = {FLOOR: [spread(0.1, 3, 0.01)], "good": [spread(0.6, 3, 0.01, 1)], "weak": [spread(0.3, 3, 0.01, 4)]}
    found = told(scored(tmp_path, values))
    assert found[MARGIN].short == "no" and "below 6 subjects no test can show anything" in found[MARGIN].text
    assert (found[NUMBER].short, found[NUMBER].tone) == ("n = 3", "bad")


def test_tracks_have_leaders_of_their_own(tmp_path: Path) -> None:
    values = {"good": [spread(0.6, 8, 0.01, 1)], "weak": [spread(0.3, 8, 0.01, 4)]}
    standing = scored(tmp_path, values, {"good": "supervised", "weak": "healthy"})
    found = told(standing)
    assert found[WHO].short == "weak" and "trained with lesion masks: good, 0.6" in found[WHO].text
    assert found[MARGIN].short == "no rival" and found[FLOORS].short == "not known"


def test_without_lesions_nothing_is_ranked() -> None:
    standing = Standing(("ixi", "T1w", "ixi"), 0, 4, (), None, float("nan"))
    assert [one.short for one in answers(standing)] == ["not known"]
    assert headline([standing])[0].startswith("Methods cannot be compared: no test subject has a marked lesion")
    assert headline([replace(standing, subjects=3)])[0].startswith("Nothing can be compared yet")


@pytest.mark.parametrize(
    ("healthy", "words"), [(0, "ixi (nothing is known of its subjects)"), (4, "ixi (0 with a lesion, 4 healthy)")]
)
def test_the_page_says_who_is_tested_on(healthy: int, words: str) -> None:
    found = [Standing(("ixi", "T1w", "ixi"), 0, healthy, (), None, float("nan"))]
    facts = Facts("smoke", [0], ["ixi"], ["ixi"], ["T1w"], {"ixi": "ixi"}, [])
    nothing = pd.DataFrame(columns=list(COLUMNS))
    rows = compared(facts, found, [], pd.DataFrame(columns=["cohort", "modality", "method", "seed", "seconds"]), nothing, {})
    assert dict(rows)["Tested on"] == words


def test_the_worst_doubt_says_whether_to_trust() -> None:
    passed = Doubt("Leakage guard", "passed.", "good")
    assert trust([passed]) == ("nothing found against it", "good")
    assert trust([passed, Doubt("One seed", "x", "doubtful")]) == ("with care: one seed", "doubtful")
    assert trust([Doubt("Artificial data", "x", "bad"), Doubt("One seed", "x", "doubtful")])[0] == "not yet: artificial data"


def test_phantoms_and_implanted_lesions_are_called_so() -> None:
    found = doubts.of_data({"phantom": "phantom", "ixi": "ixi"}, ["phantom", "ixi-implanted"])
    assert [(one.topic, one.tone) for one in found] == [("Artificial data", "bad"), ("Synthetic lesions", "doubtful")]
    assert doubts.of_data({"ixi": "ixi"}, ["ixi"]) == []


@pytest.mark.parametrize(("seconds", "topics"), [(60.0, ["Short trainings", "One seed"]), (90_000.0, ["One seed"])])
def test_short_trainings_and_one_seed_are_named(seconds: float, topics: list[str]) -> None:
    run = {"cohort": "ixi", "modality": "T1w", "seed": "0", "seconds": seconds}
    trainings = pd.DataFrame([{**run, "method": "good"}, {**run, "method": FLOOR, "seconds": 0.1}])
    assert [one.topic for one in doubts.of_trainings(trainings, TRAINED)] == topics
    assert doubts.of_trainings(trainings[1:], TRAINED) == []


def test_leaks_and_failures_are_named() -> None:
    rows = pd.DataFrame({"Check": ["a", "b"], "Result": ["passed", "AFFECTED"], "Numbers affected": ["none", "all of ddpm"]})
    assert doubts.of_leakage(rows[:1]).tone == "good" and "passed, all 1" in doubts.of_leakage(rows[:1]).text
    assert doubts.of_leakage(rows).tone == "bad" and "all of ddpm" in doubts.of_leakage(rows).text
    images = [{"state": state} for state in ("failed", "flagged", "ok", "ok")]
    assert doubts.of_quality(images).text == "of 4 images 1 failed, 1 flagged." and doubts.of_quality(images).tone == "doubtful"
    assert doubts.of_quality(images[2:]).tone == "good"


def test_what_a_partial_report_lacks_is_listed_with_its_reason() -> None:
    run = {"method": "ddpm", "seed": "0", "cohort": "ixi", "modality": "T1w", "testset": ""}
    found = doubts.of_partial([{**run, "what": "not trained"}, {**run, "what": "not scored", "testset": "ms"}], ["diverged", ""])
    assert [one.tone for one in found] == ["bad", "bad"]
    assert found[0].text == "not trained: ddpm, seed 0 (ixi, T1w). Reason: diverged"
    assert found[1].text == "not scored: ddpm, seed 0 (ms). Reason: not started"


def test_the_page_tells_what_the_data_hold(tmp_path: Path) -> None:
    values = {FLOOR: [spread(0.1, 7, 0.01)], "good": [spread(0.6, 7, 0.01, 1)], "weak": [spread(0.3, 7, 0.01, 4)]}
    tables(tmp_path, values, TRACKS)
    pd.DataFrame(columns=list(SUMMARY)).to_csv(tmp_path / "ceilings.csv", index=False)
    leakage = {"Check": ["a"], "Where": ["all"], "Result": ["passed"], "Found": ["x"], "Numbers affected": ["none"]}
    pd.DataFrame(leakage).to_csv(tmp_path / "leakage.csv", index=False)
    log = tmp_path / "train.log"
    log.write_text("step 3\nthe loss grew\n\n")
    facts = {"preset": "smoke", "seeds": [0], "train_on": ["own"], "test_on": ["own"], "modalities": ["T1w"]}
    lacking = {
        "method": "mhd",
        "seed": "0",
        "cohort": "own",
        "modality": "T1w",
        "testset": "",
        "what": "not trained",
        "log": str(log),
    }
    facts |= {"kinds": {"own": "phantom"}, "missing": [lacking]}
    files = [tmp_path / f"{name}.csv" for name in ("summary", "pairs", "metrics", "ceilings", "leakage")]
    write_story(*files, [], [], [], facts, TRACKS, TRAINED, tmp_path / "story.json", tmp_path / "story.html")
    story, page = json.loads((tmp_path / "story.json").read_text()), (tmp_path / "story.html").read_text()
    assert story["title"] == "3 methods on own (T1w)"
    assert ["Methods", "2 trained, 1 without a network (floors)"] in story["compared"]
    assert story["trust"] == ["not yet: partial report, artificial data", "bad"]
    assert "Reason: the loss grew" in story["doubts"][0]["text"]
    for question in (WHO, MARGIN, NUMBER, FLOORS, "Can I trust it?"):
        assert page.count(f"<h2>{question}</h2>") == 1
    assert story["headline"] in page
