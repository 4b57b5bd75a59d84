"""Why a number here differs from the published one: what the papers' files know, and what this run did otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from madad.configuration import cards
from madad.configuration.schema import Options
from madad.reporting.reproduction.trained_methods import Trained, words

# A gap of the spacing that is no more than rounding.
SAME_SPACING_MM = 0.05


def of_run(paper: Options, placed: Sequence[tuple[Options, Trained]], cohorts: Mapping[str, Options]) -> Iterator[str]:
    """Yield what this run did differently from a paper, one line each, from its trainings and configuration.

    Args:
        paper: one of `papers.load`.
        placed: published rows with the trained methods that stand in them.
        cohorts: `dataset` and `spacing_mm` of every cohort.
    """
    published = paper["training"]
    for cohort in dict.fromkeys(method.cohort for _, method in placed):
        own = [method for _, method in placed if method.cohort == cohort]
        known = cohorts.get(cohort, {"dataset": None, "spacing_mm": None})
        yield from _data(published, cohort, known, own)
    for row, method in placed:
        yield from settings(method, row["variant"])
        if misses := method.misses(row):
            yield f"{method.method} comes nearest to the row “{row['name']}”, but has {'; '.join(misses)}."
    yield from deviations(method.base for _, method in placed)


def _data(published: Options, cohort: str, known: Options, own: Sequence[Trained]) -> Iterator[str]:
    if published["dataset"] and known["dataset"] != published["dataset"]:
        says = known["dataset"] or "which has no `dataset` in the configuration"
        yield f"Trained on {cohort} ({says}) instead of {published['dataset']}."
    subjects = sorted({run["data"]["training"]["subjects"] for method in own for run in method.runs if run.get("data")})
    if published["subjects"] and subjects and subjects != [published["subjects"]]:
        yield f"Trained on {' to '.join(map(words, subjects))} subjects instead of {words(published['subjects'])}."
    spacing = known["spacing_mm"]
    if published["spacing_mm"] and spacing and abs(spacing - published["spacing_mm"]) > SAME_SPACING_MM:
        yield f"Voxels of {spacing:g} mm instead of {published['spacing_mm']:g} mm."
    seeds = {len({run["identity"]["seed"] for run in method.runs}) for method in own if method.first["steps"]}
    if seeds and published["runs"] and min(seeds) < published["runs"]:
        trainings = "One training" if max(seeds) == 1 else f"{min(seeds)} trainings"
        yield f"{trainings} a method instead of {published['runs']} folds or seeds."


def settings(method: Trained, variant: Options) -> Iterator[str]:
    """Yield one line for a trained method whose settings differ from its card's: published ones, where the paper gives them."""
    found = method.differences(variant)
    if found:
        yield f"{method.method}, other than its card's published settings: {'; '.join(found)}."


def deviations(bases: Iterator[str]) -> Iterator[str]:
    """Yield where the deliberate deviations of the re-implementations are listed."""
    counts = {base: len(cards.load(base)["deviations"]) for base in dict.fromkeys(bases)}
    told = [f"{base} ({count})" for base, count in counts.items() if count]
    if told:
        yield f"Deliberate deviations from the papers are listed on the cards (madad/methods) of {', '.join(told)}."


def of_subjects(columns: Sequence[Options], here: Sequence[set[int]]) -> Iterator[str]:
    """Yield where fewer or more subjects stand behind a number than behind the published one.

    Args:
        columns: published ones.
        here: for each of them the numbers of subjects behind ours; 0 for numbers of a whole test set.
    """
    for column, counts in zip(columns, here, strict=True):
        others = sorted(counts - {0, column["subjects"]})
        if column["subjects"] and others:
            plural = "" if others[0] == 1 else "s"
            yield f"{column['dataset']}: {words(others[0])} test subject{plural} instead of {words(column['subjects'])}."


def of_columns(columns: Sequence[Options], tested: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield what to add to the configuration so that the columns fill.

    Args:
        columns: those that have a measure of ours.
        tested: sequences in which each data set was tested.
    """
    wanted: dict[tuple[str, bool], list[str]] = {}
    for column in columns:
        if not column["dataset"]:
            continue
        sequences = wanted.setdefault((column["dataset"], column["simulated"]), [])
        if not column["subset"] and column["modality"] not in sequences:
            sequences.append(column["modality"])
    for (dataset, simulated), sequences in wanted.items():
        missing = [sequence for sequence in sequences if sequence not in tested.get(dataset, set())]
        testset = "`<cohort>-implanted`" if simulated else "the cohort"
        if missing and tested.get(dataset):
            yield f"{dataset} was tested in {', '.join(sorted(tested[dataset]))} alone: add {', '.join(missing)} to `modalities`."
        elif missing:
            yield (
                f"{dataset} ({', '.join(missing)}) is not among the test sets: give its cohort `dataset: {dataset}`, add "
                f"{testset} to `test_on` and {', '.join(missing)} to `modalities`."
            )
