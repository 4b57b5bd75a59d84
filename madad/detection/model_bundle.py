"""Small files of weights to start trainings from, made of all trainings of a results folder, such as that of `preset=zoo`.

Such a file is a model file without what happens to images: base, hyper-parameters, training data and how the weights were made.
Weights are stored in half precision, and those of trained parts are left out, because a training takes its parts from the run.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import Tensor

from madad.configuration import cohort_cards, initial_weights
from madad.core.errors import UserError
from madad.core.logs import say, warn
from madad.core.provenance import environment
from madad.detection import bundle_check
from madad.detection.finished_training import Run, kept_parts, of_method, open_run, options_of
from madad.detection.model_export import WEIGHTS, metrics, write
from madad.engine.initial_weights import own_names
from madad.engine.model_files import halved, load_weights, read_model
from madad.methods import registry

LARGEST_MIB = 3.0
USE = "weights to start a training from; research use only, no medical device, no diagnosis"


def bundle(results: Path, out: Path, licence: str = "") -> list[Path]:
    """Write a file of every training of a results folder and return the files.

    Args:
        results: folder with `runs` and `provenance.json`.
        out: folder for `<method>_<cohort>_<sequence>.zip`; of several seeds the lowest is taken.
        licence: of the weights; empty for that of the training data.

    Raises:
        UserError: no finished training, or a run of another configuration than that of `provenance.json`.
    """
    folders = sorted(results.glob("runs/*/*/*/seed*"), key=lambda folder: int(folder.name.removeprefix("seed")))
    first = {folder.parent: folder for folder in reversed(folders) if (folder / "train.json").is_file()}
    written = [_write(folder, out, licence) for _, folder in sorted(first.items()) if _is_trained(folder)]
    if not written:
        raise UserError(f"{results}: no finished training below runs; give the folder `results` of a run")
    return written


def _is_trained(folder: Path) -> bool:
    record = json.loads((folder / "train.json").read_text())
    return bool(record["steps"]) and not {"weights_from", "imported_from"} & record.keys()


def _write(folder: Path, out: Path, licence: str) -> Path:
    run = open_run(folder)
    options = options_of(run)
    _, stored = read_model(folder / "model.safetensors")
    weights = halved(_own(stored, options))
    data = _training_data(run)
    about = {
        **of_method(run, options),
        "training_data": [data],
        "metrics": metrics(run),
        "weights": {**{key: run.record[key] for key in WEIGHTS}, "parts": kept_parts(run), "precision": "float16"},
        "initial_weights": run.record.get("initial_weights"),
        "made": _made(run),
        "check": _check(run, options, stored, weights),
        "date": _date(folder / "train.json"),
        "code": {**run.record["environment"], "exported by": environment()},
        "licence": licence or data["licence"],
        "intended_use": USE,
    }
    path = out / "{method}_{cohort}_{modality}.zip".format(**run.identity)
    write(path, about, weights, {"fingerprint": run.record["fingerprint"]})
    size = path.stat().st_size / 2**20
    (warn if size > LARGEST_MIB else say)(f"{path}: {size:.2f} MiB, {run.record['steps']} steps on {data['name']}")
    return path


def _own(stored: dict[str, Tensor], options: dict[str, Any]) -> dict[str, Tensor]:
    """Return the weights of a method without those of its trained parts."""
    return {name: stored[name] for name in own_names(registry.assemble(options, 0))}


def _check(run: Run, options: dict[str, Any], stored: dict[str, Tensor], weights: dict[str, Tensor]) -> dict[str, float]:
    """Return the loss on made images of the weights as they are bundled, with the parts of the run."""
    method = registry.assemble(options, 0)
    load_weights(method, {**stored, **{name: value.to(stored[name].dtype) for name, value in weights.items()}})
    return {"loss": bundle_check.loss(method, bundle_check.image_sides(options, run.record["image_shape"]))}


def _training_data(run: Run) -> dict[str, Any]:
    kind, counts = run.cohort["kind"], run.record["data"]
    card = cohort_cards.card(kind)
    return {
        "name": run.identity["cohort"],
        "kind": kind,
        "title": card["title"],
        "licence": card["licence"],
        "division": initial_weights.division(run.cohort),
        "spacing_mm": run.config["pipelines"][run.cohort["pipeline"]].get("spacing_mm"),
        "pipeline": run.config["pipelines"][run.cohort["pipeline"]],
        "train": counts["training"],
        "validation": counts["validation"],
    }


def _made(run: Run) -> dict[str, Any]:
    """Return how the weights were made: preset, time and losses."""
    with open(run.folder / "history.csv", newline="") as stream:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(stream)]
    losses = {name: {key: row.get(key) for key in ("step", "loss", "validation_loss")} for name, row in _ends(rows)}
    identity = run.identity
    place = run.results / "benchmarks/train" / identity["cohort"] / identity["modality"] / identity["method"]
    return {
        "preset": run.config["preset"],
        "cpu_hours": _cpu_hours(place / f"seed{identity['seed']}.jsonl"),
        "hours": round((run.record["seconds"] or 0) / 3600, 3),
        "device": run.record.get("device_name"),
        "losses": losses,
    }


def _ends(rows: list[dict[str, float]]) -> Iterator[tuple[str, dict[str, float]]]:
    if rows:
        yield from (("first", rows[0]), ("last", rows[-1]))


def _cpu_hours(benchmark: Path) -> float | None:
    """Return what Snakemake measured of the last job, in hours; None where it measured nothing."""
    if not benchmark.is_file():
        return None
    lines = benchmark.read_text().splitlines()
    seconds = json.loads(lines[-1]).get("cpu_time") if lines else None
    return round(seconds / 3600, 3) if isinstance(seconds, int | float) else None


def _date(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
