"""Forecast the disk space of a run below results/, before it starts.

An estimate from the configuration, the size of the grid and the number of subjects; bytes per voxel were measured on finished
runs (`python -m benchmarks.disk` compares). Numbers of images come from the manifests if they exist.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from contextlib import suppress
from math import ceil, prod
from pathlib import Path

from madad.configuration import cards, cohort_cards, experiments, sequences, subject_counts
from madad.configuration import settings as configuration
from madad.configuration.schema import Options
from madad.core.errors import UserError
from madad.core.io.manifest import read_table

# Sides of ICBM152's brain with the margins of `madad.data.template`, and its volume.
BRAIN_BOX_MM, BRAIN_MM3 = (189, 189, 163), 1.883e6
GRID_MULTIPLES = (16, 16, 8)
# Compressed bytes per voxel of the brain (per voxel of the grid for `reconstruction`, which has noise outside the brain).
BYTES = {"head": 1.6, "preprocessed": 4.0, "pack": 4.2, "map": 4.2, "reconstruction": 1.8, "bank": 0.06}
PICTURE = 75_000
# Tables and figures of a report and of a run; a row of the long table.
REPORT, RUN_REPORT, SUBJECT_REPORT = 3e6, 0.9e6, 13e3
# A checkpoint has weights, their average and two moments of the optimiser; one training at a time is assumed.
CHECKPOINT = 4
WIDTHS = ("channels", "channel_multipliers", "base_channels", "blocks_per_level")
PARTS = ("cohorts", "preprocessed", "packs", "models", "maps", "report")

Counts = dict[tuple[str, str], int]


def message(config: Options, results: Path = Path("results")) -> tuple[str, bool]:
    """Return one line for the user (what the run needs, what exists already, what is free) and whether it fits."""
    needed, there = estimate(config, results), present(results)
    missing = sum(max(size - there[part], 0) for part, size in needed.items())
    free = shutil.disk_usage(results if results.exists() else results.absolute().parent).free
    parts = ", ".join(f"{part} {_readable(size)}" for part, size in needed.items() if size >= 0.01 * sum(needed.values()))
    line = f"disk: results/ will take about {_readable(sum(needed.values()))} ({parts}); "
    line += f"{_readable(sum(there.values()))} exist already, " if any(there.values()) else "nothing exists yet, "
    line += f"{_readable(free)} are free"
    if unknown := unmeasured(config):
        line += f"; models of {', '.join(unknown)} come on top (no model_mb in the card)"
    if missing <= free:
        return line, True
    return (
        f"{line}. THIS WILL NOT FIT: about {_readable(missing - free)} are missing. Free some space, use fewer methods, seeds or "
        "test sets, or run with --directory on a larger disk; if the disk runs full, finished steps are kept"
    ), False


def estimate(config: Options, results: Path = Path("results")) -> dict[str, float]:
    """Return the bytes below results/ after the run, by part.

    Args:
        config: from `madad.configuration.settings.resolve`.
        results: folder that may hold manifests of an earlier run.
    """
    counts = {name: images(name, config, results) for name in configuration.used_cohorts(config)}
    runs = experiments.runs(config, "methods")
    maps = sum(_maps(run, config, counts) for run in runs)
    scored = len(runs) * sum(
        _samples(test, split, config, counts) for test in config["test_on"] for split in ("validation", "test")
    )
    sizes = [model_bytes(run["method"], config) for run in (*runs, *experiments.runs(config, "parts"))]
    return {
        "cohorts": sum(_made(config["cohorts"][name], config) for name in counts),
        "preprocessed": sum(_preprocessed(name, config, counts[name]) for name in counts),
        "packs": _packs(config, counts) + _banks(config),
        "models": sum(sizes) + CHECKPOINT * max(sizes, default=0),
        "maps": maps,
        "report": REPORT + RUN_REPORT * len(runs) * len(config["test_on"]) + SUBJECT_REPORT * scored,
    }


def present(results: Path = Path("results")) -> dict[str, int]:
    """Return the bytes that exist already, by the same parts."""
    found = dict.fromkeys(PARTS, 0)
    for folder, _, names in os.walk(results):
        first = Path(folder).relative_to(results).parts[:1]
        for name in names:
            with suppress(OSError):  # deleted meanwhile
                found[_part(first[0] if first else "", name)] += os.lstat(os.path.join(folder, name)).st_size
    return found


def images(name: str, config: Options, results: Path) -> Counts:
    """Return the number of images per modality, by split and group, from the manifest or else from the fractions."""
    cohort = config["cohorts"][name]
    with suppress(UserError, KeyError):  # none yet, or one that the job which needs it will refuse
        rows = read_table(results / "cohorts" / name / "manifest.tsv")
        used = sequences.of(config, name)
        counted = Counter((row["split"], row["group"]) for row in rows if row["modality"] in used)
        return {key: ceil(number / len(used)) for key, number in counted.items()}
    healthy, patients = _groups(cohort)
    planned = {("train", "healthy"): healthy * cohort["split"]["train"]}
    for split in ("validation", "test"):
        planned |= {
            (split, "healthy"): healthy * cohort["split"][split],
            (split, "patient"): patients * cohort["patient_split"][split],
        }
    return {key: ceil(number) for key, number in planned.items()}


def _groups(cohort: Options) -> tuple[int, int]:
    """Return the numbers of healthy subjects and patients, from the configuration and the table of participants."""
    total = subject_counts.subjects(cohort)
    if made := cohort_cards.made_subjects(cohort):
        return min(made[0], total), max(total - made[0], 0)
    if cohort["group"] in ("healthy", "patient"):
        return (total, 0) if cohort["group"] == "healthy" else (0, total)
    try:
        groups = [row.get("group", "").lower() for row in read_table(Path(cohort.get("root") or ".") / "participants.tsv")]
    except (OSError, UserError):
        groups = []
    patients = round(total * sum("patient" in group for group in groups) / len(groups)) if groups else 0
    return total - patients, patients


def voxels(pipeline: Options) -> tuple[float, int]:
    """Return the voxels of the brain and of the grid of a pipeline; any template is assumed to be as large as ICBM152."""
    spacing = pipeline["spacing_mm"]
    shape = pipeline.get("shape") or [
        ceil(side / spacing / of) * of for side, of in zip(BRAIN_BOX_MM, GRID_MULTIPLES, strict=True)
    ]
    return min(BRAIN_MM3 / spacing**3, prod(shape)), prod(shape)


def _grid(name: str, config: Options) -> tuple[float, int]:
    return voxels(config["pipelines"][config["cohorts"][name]["pipeline"]])


def _made(cohort: Options, config: Options) -> float:
    """Return the bytes of phantom images, with air and masks."""
    if cohort["kind"] != "phantom":
        return 0
    box_mm3 = 1.25 * prod(BRAIN_BOX_MM)
    wanted = len(set(config["modalities"]) | set(cohort["modalities"]))
    return subject_counts.subjects(cohort) * wanted * BYTES["head"] * box_mm3 / cohort["spacing_mm"] ** 3


def _preprocessed(name: str, config: Options, counts: Counts) -> float:
    brain, _ = _grid(name, config)
    return sum(counts.values()) * len(sequences.of(config, name)) * (BYTES["preprocessed"] * brain + PICTURE)


def _samples(testset: str, split: str, config: Options, counts: dict[str, Counts]) -> int:
    """Return the number of images of one modality in a split of a test set."""
    base, cohort = configuration.base_of(testset), configuration.cohort_of(testset)
    known = counts[cohort]
    number = known.get((split, "healthy"), 0) + known.get((split, "patient"), 0)
    if base != cohort:
        number = known.get((split, "healthy"), 0) * (1 + config["implanted"]["per_subject"])
    if base == testset:
        return number
    corrupted = config["corrupted"]
    return min(corrupted["samples"], number) * len(corrupted["kinds"]) * len(corrupted["severities"]) if split == "test" else 0


def _evaluated(testset: str, config: Options, counts: dict[str, Counts]) -> int:
    return sum(_samples(testset, split, config, counts) for split in ("validation", "test"))


def _packs(config: Options, counts: dict[str, Counts]) -> float:
    total = 0.0
    for name in sorted({*config["test_on"], *config["train_on"]}):
        cohort = configuration.cohort_of(name)
        brain, _ = _grid(cohort, config)
        trained = counts[cohort].get(("train", "healthy"), 0) if name in config["train_on"] else 0
        total += brain * (trained + _evaluated(name, config, counts)) * len(sequences.of(config, cohort))
    return BYTES["pack"] * total


def _banks(config: Options) -> float:
    grids = [voxels(config["pipelines"][config["cohorts"][name]["pipeline"]])[0] for name in config["train_on"]]
    return BYTES["bank"] * config["anomalies"]["bank"]["size"] * max(grids, default=0)


def _maps(run: dict[str, str], config: Options, counts: dict[str, Counts]) -> float:
    """Return the bytes of the maps of a run: of all test sets, and of the validation subjects that give their thresholds."""
    card = cards.load(experiments.entries(config)[run["method"]]["base"])
    brain, grid = _grid(run["cohort"], config)
    sample = BYTES["map"] * brain + BYTES["reconstruction"] * grid * card["capabilities"]["reconstructs"]
    testsets = configuration.testsets(config, run["modality"])
    number = sum(_evaluated(name, config, counts) for name in testsets)
    foreign = any(configuration.cohort_of(name) != run["cohort"] for name in testsets)
    return sample * (number + (_samples(run["cohort"], "validation", config, counts) if foreign else 0))


def unmeasured(config: Options) -> list[str]:
    """Return the trained methods and parts whose cards do not state the size of a model file."""
    every = [run["method"] for kind in ("methods", "parts") for run in experiments.runs(config, kind)]
    known = {name: cards.load(experiments.entries(config)[name]["base"]) for name in dict.fromkeys(every)}
    return [name for name, card in known.items() if card["capabilities"]["trains"] and "model_mb" not in card]


def model_bytes(name: str, config: Options) -> float:
    """Return the bytes of a model file: those of the card's defaults scaled by the squared widths, or those of its parts.

    A model whose card states no size counts 0; `unmeasured` names it.
    """
    entry = experiments.entries(config)[name]
    card = cards.load(entry["base"])
    own = next(iter(entry["options"].values()))["parameters"]
    if not card["capabilities"]["trains"]:
        return sum(model_bytes(part, config) for part in entry["parts"].values())
    ratio = prod(_width(own, key) / _width({key: card["parameters"][key]["default"]}, key) for key in WIDTHS if key in own)
    return 1e6 * card.get("model_mb", 0) * ratio


def _width(parameters: Options, key: str) -> float:
    """Return what the number of weights is proportional to: squared channels, or blocks; 1 if that is not a number."""
    sides = parameters[key] if isinstance(parameters[key], list) else [parameters[key]]
    if not all(isinstance(side, int | float) for side in sides):
        return 1
    return sum(side if key == "blocks_per_level" else side**2 for side in sides) or 1


def _part(folder: str, name: str) -> str:
    if folder in ("cohorts", "downloads"):
        return "cohorts"
    if folder in ("preprocessed", "packs"):
        return folder
    if folder == "banks":
        return "packs"
    if name == "maps.h5":
        return "maps"
    return "models" if folder == "checkpoints" or name == "model.safetensors" else "report"


def _readable(size: float) -> str:
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 1000 or unit == "TB":
            return f"{size:.0f} {unit}" if size >= 10 else f"{size:.1f} {unit}"
    raise AssertionError
