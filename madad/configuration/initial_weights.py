"""Which weights a training starts from: the key `initial_weights`, model files, and the models that come with the package.

A value is `none`, `bundled`, or a mapping of entries to `none`, `bundled` or the path of a model file; `others` in a mapping
counts for the entries that it does not name.

Weights fit if everything agrees that decides what they mean: the hyper-parameters without a `stage` in the card. A bundled model
must also be of the same sequence. One of the same kind of training cohort is preferred; it must be of the same voxel size, and no
subject that it was trained on may be tested on. Otherwise one of another kind is taken, as a start on other images.
A method on a trained part, such as an autoencoder, needs the part to start from the very model that its weights were trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from madad.configuration import cards
from madad.configuration.schema import Options, unknown
from madad.core.errors import UserError, did_you_mean
from madad.core.io import model_archive

SCRATCH = "scratch"
NONE, BUNDLED, OTHERS = "none", "bundled", "others"
FOLDER = Path(__file__).parents[1] / "bundled_models"
# Options of a cohort that decide which of its subjects are trained on.
SPLITTING = ("split", "splits", "split_seed", "limit", "filters", "seed")

Given = str | dict[str, str]
Run = Mapping[str, str]


def over(below: Given | None, above: Given | None) -> dict[str, str]:
    """Return a mapping with `others` of two values, the second of which counts where it says something."""
    if isinstance(above, str):
        return {OTHERS: above}
    under = {OTHERS: below} if isinstance(below, str) else below or {}
    return {OTHERS: NONE, **under, **(above or {})}


def of_entry(given: dict[str, str], name: str, leader: str | None, entries: Options) -> str | None:
    """Return what an entry starts from; None for one that is not trained.

    Args:
        given: from `over`.
        name: of the entry.
        leader: entry with the same training; an entry that is not named starts from the same weights.
        entries: those known so far.
    """
    if not cards.load(entries[name]["base"])["capabilities"]["trains"]:
        return None
    return given.get(name) or (entries[leader]["initial_weights"] if leader else given[OTHERS])


def problems(given: dict[str, str], entries: Options, known: list[str]) -> Iterator[str]:
    """Yield what is wrong with the key: names that do not exist, files that are missing or do not fit.

    Args:
        given: from `over`.
        entries: every method and part that is used.
        known: names of every entry that could be used.
    """
    if given[OTHERS] not in (NONE, BUNDLED):
        close = did_you_mean(given[OTHERS], (NONE, BUNDLED))
        yield (
            f"initial_weights: '{given[OTHERS]}' is neither {NONE} nor {BUNDLED}{close}; a model file is for methods by name: "
            f"{{mddpm: {given[OTHERS]}}}"
        )
        return
    for name, value in given.items():
        if name not in (OTHERS, *known):
            yield unknown("initial_weights", "method", name, known)
        elif name in entries and entries[name]["initial_weights"] is None and value != NONE:
            yield f"initial_weights.{name}: {name} is not trained, so that it has no weights to start from; leave it out"
    for name, entry in entries.items():
        if entry["initial_weights"] not in (None, NONE, BUNDLED):
            yield from _file_problems(name, entries)


def _file_problems(name: str, entries: Options) -> Iterator[str]:
    entry, where = entries[name], f"initial_weights.{name}"
    path = Path(entry["initial_weights"])
    try:
        about = model_archive.read_start(path)
    except UserError as error:
        yield f"{where}: {error}"
        return
    if about["base"] != entry["base"]:
        yield f"{where}: {path} is a model of {about['base']}; name a model of {entry['base']}"
        return
    for options in list(entry["options"].values())[:1]:
        yield from (
            f"{where}: {key} is {mine} in {name}, but {its} in {path}; set method_options.{name}.parameters.{key} to {its}, "
            f"or start from {NONE}"
            for key, mine, its in differences(options, about)
        )
    for role, part in _strange_parts(entry, about, entries, lambda part: _about_of_file(entries[part]["initial_weights"])):
        yield (
            f"{where}: the weights of {path} work on its own {role}, and {part} does not start from that; name its file as well: "
            f"initial_weights: {{{part}: …}} with the model of the run that {path} was trained on"
        )


def differences(options: Options, about: Options) -> list[tuple[str, Any, Any]]:
    """Return every hyper-parameter in which weights of a method and of a model mean different things, with both values."""
    mine, its = (cards.of_weights(options["base"], one["parameters"]) for one in (options, about["build"]))
    keys = sorted({*mine, *its}, key=list(mine).index if mine.keys() == its.keys() else str)
    return [(key, mine.get(key), its.get(key)) for key in keys if mine.get(key) != its.get(key)]


def chosen(config: Options, entries: Options, run: Run) -> dict[str, Any] | None:
    """Return what a training starts from: `bundled` or `file`, the name, and `sha256` of the weights; None for random weights.

    Args:
        config: from `madad.configuration.settings.resolve`.
        entries: every method and part by name.
        run: cohort, modality and method.
    """
    value = entries[run["method"]]["initial_weights"]
    if value in (None, NONE):
        return None
    if value == BUNDLED:
        path = fitting(config, entries, run)[0]
        return {BUNDLED: path.name, "sha256": _about(path)["weights"]["sha256"]} if path else None
    return {"file": value, "sha256": model_archive.read_start(Path(value))["weights"]["sha256"]}


def fitting(config: Options, entries: Options, run: Run) -> tuple[Path | None, str]:
    """Return the bundled model that fits a training, or None and why there is none. Arguments as of `chosen`."""
    entry, cohort = entries[run["method"]], config["cohorts"][run["cohort"]]
    reasons = []
    for path in sorted(bundled(), key=lambda one: _kind(one) != cohort["kind"]):
        about = _about(path)
        if (about["base"], about["modality"]) != (entry["base"], run["modality"]):
            continue
        reason = _misfit(config, entries, run, about)
        if not reason:
            return path, ""
        reasons.append(f"{path.name}: {reason}")
    return None, "; ".join(reasons) or f"there is none of {entry['base']} for {run['modality']}"


def unmet(config: Options, entries: Options, runs: Iterable[Run]) -> Iterator[str]:
    """Yield a sentence for every training that was to start from a bundled model and starts from scratch, as none fits.

    Args:
        config: from `madad.configuration.settings.resolve`.
        entries: every method and part by name.
        runs: trainings; seeds count once.
    """
    told = set()
    for run in runs:
        place = (run["method"], run["modality"], run["cohort"])
        if place in told or entries[run["method"]]["initial_weights"] != BUNDLED or entries[run["method"]]["weights_from"]:
            continue
        told.add(place)
        path, reason = fitting(config, entries, dict(run))
        if path is None:
            yield f"initial_weights: {' / '.join(place)} starts from scratch, because no bundled model fits: {reason}"


def _misfit(config: Options, entries: Options, run: Run, about: Options) -> str:
    """Return why a bundled model of the same method and sequence does not fit; empty if it does."""
    entry, cohort = entries[run["method"]], config["cohorts"][run["cohort"]]
    for key, mine, its in differences(entry["options"][run["modality"]], about):
        return f"{key} is {its} there, and {mine} here"
    data = about["training_data"][0]
    spacing = config["pipelines"][cohort["pipeline"]].get("spacing_mm")
    if data["kind"] == cohort["kind"] and data["spacing_mm"] != spacing:
        return f"spacing_mm is {data['spacing_mm']} there, and {spacing} here"
    if data["kind"] == cohort["kind"] and (overlap := _overlap(cohort, data)):
        return overlap

    def of_part(part: str) -> Options | None:
        path = fitting(config, entries, {**run, "method": part})[0]
        return _about(path) if path and entries[part]["initial_weights"] == BUNDLED else None

    for _, part in _strange_parts(entry, about, entries, of_part):
        return f"{part} does not start from the weights that it was trained on"
    return ""


def _overlap(cohort: Options, data: Options) -> str:
    """Return why a training subject of a model may be a test subject here; empty if none can be.

    Phantoms are numbered, and drawn from the seed of their cohort; a data set is divided by its options.
    """
    if cohort["kind"] == "phantom":
        same = cohort["seed"] == data["division"]["seed"]
        return f"it was trained on phantoms of the same seed, {cohort['seed']}, some of which are tested on here" if same else ""
    for key, its in data["division"].items():
        if cohort.get(key) != its:
            return f"{key} of its training cohort is {its}, and {cohort.get(key)} here, so that it may have seen test subjects"
    return ""


def _strange_parts(entry: Options, about: Options, entries: Options, of_part: Any) -> Iterator[tuple[str, str]]:
    """Yield role and name of every part that does not start from the model that the weights were trained on."""
    for role, fingerprint in about["weights"].get("parts", {}).items():
        part = entry["parts"].get(role)
        known = of_part(part) if part in entries else None
        if part and (known is None or known["weights"]["fingerprint"] != fingerprint):
            yield role, part


def file(chosen: dict[str, str]) -> Path:
    """Return the model file of an answer of `chosen`."""
    return FOLDER / chosen[BUNDLED] if BUNDLED in chosen else Path(chosen["file"])


def record(chosen: dict[str, str], about: Options) -> dict[str, Any]:
    """Return what a training records of the weights that it starts from.

    Args:
        chosen: from the function of this name.
        about: description of the model.
    """
    data, weights = about["training_data"][0], about["weights"]
    return {
        "source": BUNDLED if BUNDLED in chosen else "file",
        "file": Path(file(chosen)).name,
        "sha256": weights["sha256"],
        "fingerprint": weights["fingerprint"],
        "steps": weights["steps"],
        "modality": about["modality"],
        "trained_on": {key: data.get(key) for key in ("name", "kind", "licence")},
        "date": about.get("date"),
        "commit": about["code"].get("commit", "unknown"),
        "initial_weights": about.get("initial_weights"),
    }


def in_words(record: dict[str, Any] | None) -> str:
    """Return what a training started from, by its record: `bundled weights mddpm.zip (2026-11-30, 3000 steps on soop)`."""
    if not record:
        return SCRATCH
    kind = "bundled weights" if record["source"] == BUNDLED else "weights of"
    facts = [record["date"], f"{record['steps']} steps on {record['trained_on']['name']}", f"code {record['commit'][:7]}"]
    return f"{kind} {record['file']} ({', '.join(fact for fact in facts if fact)})"


def division(cohort: Options) -> Options:
    """Return the options of a cohort that decide which of its subjects are trained on."""
    return {key: cohort[key] for key in SPLITTING if key in cohort}


def bundled() -> list[Path]:
    """Return the models that come with the package, sorted by name."""
    return sorted(FOLDER.glob("*.zip"))


@cache
def _about(path: Path) -> Options:
    return model_archive.read_start(path)


def _kind(path: Path) -> str:
    """Return the kind of cohort that a bundled model was trained on."""
    return _about(path)["training_data"][0]["kind"]


def _about_of_file(value: str | None) -> Options | None:
    """Return the description of a model file that a value names; None for `none` and `bundled`, and where it cannot be read."""
    if value in (None, NONE, BUNDLED):
        return None
    try:
        return model_archive.read_start(Path(value))
    except UserError:
        return None
