"""From the folder of a run to a model file: what the run, its configuration and its evaluations know of the model."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from madad.configuration import cohort_cards
from madad.core.errors import UserError, did_you_mean
from madad.core.io import model_archive
from madad.core.io.hdf5 import Maps, Pack
from madad.core.logs import warn
from madad.core.provenance import environment, file_hash
from madad.data import template
from madad.detection import scoring, seen_images
from madad.detection.finished_training import Run, finite, kept_parts, of_method, open_run, options_of, read_json
from madad.engine.model_files import halved, read_model, save_model
from madad.evaluation.results.long_table import read
from madad.evaluation.results.metric_table import THRESHOLD
from madad.evaluation.results.protocol_table import PROTOCOLS, VALIDATION

# Protocols by how well they suit an image of which nothing is known; the first that has a threshold is the model's own.
PREFERRED = (VALIDATION.name, "conformal_fpr_1", "healthy_fpr_1", "one_fp_per_scan", "healthy_fpr_5")
NO_LICENCE = "not stated; ask whoever gave you this file"
USE = "research use only; no medical device, no diagnosis"
POSTPROCESSING = ("erosion", "median", "min_component")
WEIGHTS = ("parameter_count", "image_shape", "fingerprint", "steps", "best_step")
GRID = ("template", "template_brain", "spacing_mm", "shape")


def export(folder: Path, out: Path, licence: str = "", testset: str = "", half: bool = False) -> dict[str, Any]:
    """Write the model of a run as one file and return its description.

    Args:
        folder: `results/runs/<cohort>/<modality>/<method>/seed<n>` with a finished training.
        out: the zip file.
        licence: of the model; those of its training data come from the cards of the cohorts.
        testset: test set whose thresholds the model takes; empty for the training cohort's own, or else the first by name.
        half: whether the weights are written in half precision.

    Raises:
        UserError: the run is not finished, its record or other files are missing or of another configuration, or there is no
            such test set.
    """
    run = open_run(folder)
    options = options_of(run)
    _check_files(run)
    about = {
        **of_method(run, options),
        **_of_images(run),
        **_of_evaluations(run, testset),
        "weights": {
            **{key: run.record.get(key) for key in WEIGHTS},
            "parts": kept_parts(run),
            "precision": "float16" if half else "float32",
        },
        "code": {**run.record["environment"], "exported by": environment()},
        "licence": licence or NO_LICENCE,
        "intended_use": USE,
    }
    model = folder / "model.safetensors"
    if half:
        metadata, weights = read_model(model)
        write(out, about, halved(weights), metadata)
    else:
        model_archive.write(out, finite(about), model)
    if not licence:
        warn(f"{out}: no licence is stated; name one with --licence, so that others know what they may do")
    if about["code"].get("commit", "unknown") == "unknown":
        warn(
            f"{out}: the commit of the code that trained it is not known, because madad did not run from a git clone, so that "
            "the same code cannot be installed again. Train in a clone if you hand the file to others"
        )
    if about["threshold"] is None:
        warn(f"{out}: no threshold, because no evaluation of the run has one; predictions will have maps and no masks")
    return model_archive.read_about(out)


def write(out: Path, about: dict[str, Any], weights: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write a model file of weights that no run has in this form, such as halved ones.

    Args:
        out: the zip file.
        about: its description.
        weights: by name.
        metadata: beside the weights, see `madad.engine.model_files.save_model`.
    """
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, model_archive.WEIGHTS)
        save_model(file, weights, metadata)
        model_archive.write(out, finite(about), file)


def _check_files(run: Run) -> None:
    """Refuse a run that stopped before all that a model file tells was made."""
    cohort, modality = run.identity["cohort"], run.identity["modality"]
    pipeline = run.cohort["pipeline"]
    needed = [run.pack(cohort, split) for split in ("train", "validation")]
    needed += [run.results / "quality" / cohort / f"{pipeline}.tsv", run.results / "intensity" / pipeline / f"{modality}.json"]
    for table in sorted(run.folder.glob("eval/*/metrics.tsv")):
        if any(_thresholds(table)):
            needed += [table.with_name("maps.h5"), run.pack(table.parent.name, "validation")]
    missing = [f"results/{path.relative_to(run.results)}" for path in dict.fromkeys(needed) if not path.is_file()]
    if missing:
        raise UserError(
            f"{run.folder}: {len(missing)} file(s) that the export reads are not there, because the run ended early or they were "
            f"deleted; `madad run {' '.join(missing)}` with the options of the run makes them"
        )


def _of_images(run: Run) -> dict[str, Any]:
    cohort, modality = run.identity["cohort"], run.identity["modality"]
    pipeline = run.cohort["pipeline"]
    chain = run.config["pipelines"][pipeline]
    if chain["registration"] == "none":
        raise UserError(
            f"{run.folder}: its images keep their own grids (registration: none), so that no other scan could be brought to the "
            "model's; export models of pipelines that register to a template"
        )
    grid = template.target(chain)
    files = {key: file_hash(chain[key]) for key in GRID[:2] if chain.get(key) and Path(str(chain[key])).is_file()}
    strip = {key: run.cohort[key] for key in ("skull_strip", "skull_strip_command")}
    table = run.results / "quality" / cohort / f"{pipeline}.tsv"
    return {
        "preprocessing": {**{key: value for key, value in chain.items() if key not in ("intensity", "reference")}, **strip},
        "grid": {
            **{key: chain.get(key) for key in GRID},
            "files": files,
            "voxels": list(grid.t1w.array.shape),
            "affine": grid.t1w.affine.tolist(),
        },
        "intensity_model": read_json(run.results / "intensity" / pipeline / f"{modality}.json", "run the preprocessing again"),
        "training_data": [_data(run)],
        "seen": seen_images.of_training(run.pack(cohort, "train"), table, grid),
    }


def _data(run: Run) -> dict[str, Any]:
    kind = run.cohort["kind"]
    card = cohort_cards.card(kind)
    counts = {}
    for split in ("train", "validation"):
        with Pack(run.pack(run.identity["cohort"], split)) as pack:
            healthy = pack.healthy()
            subjects = {str(pack.covariates[index].get("subject") or pack.names[index]) for index in healthy}
            counts[split] = {"images": len(healthy), "subjects": len(subjects), "content": pack.content}
    return {"name": run.identity["cohort"], "kind": kind, "title": card["title"], "licence": card["licence"], **counts}


def _of_evaluations(run: Run, testset: str) -> dict[str, Any]:
    tables = sorted(run.folder.glob("eval/*/metrics.tsv"))
    thresholds = [row for path in tables for row in _thresholds(path)]
    names = sorted({row["testset"] for row in thresholds})
    if testset and testset not in names:
        close = did_you_mean(testset, names)
        raise UserError(
            f"--testset: {testset} has no thresholds in {run.folder}/eval{close}; there are {', '.join(names) or 'none'}"
        )
    chosen = _own_threshold(thresholds, [testset] if testset else _by_nearness(names, run.identity["cohort"]))
    options = run.config["evaluation"]
    return {
        "postprocessing": {key: int(options.get(key) or 0) for key in POSTPROCESSING},
        "thresholds": thresholds,
        "threshold": chosen,
        "metrics": metrics(run),
    }


def metrics(run: Run) -> dict[str, Any]:
    """Return the lowest validation loss of a run, and means over the validation samples of every test set with a threshold."""
    tables = sorted(run.folder.glob("eval/*/metrics.tsv"))
    thresholds = [row for path in tables for row in _thresholds(path)]
    names = sorted({row["testset"] for row in thresholds})
    validation = {name: _validation(run, name, thresholds) for name in names}
    return {"best_validation_loss": run.record.get("best_validation_loss"), "validation": validation}


def _thresholds(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the thresholds of an evaluation that have not seen the labels of its test images."""
    protocols = {protocol.name: protocol for protocol in PROTOCOLS if protocol.kind == "threshold" and not protocol.oracle}
    for row in read(path):
        protocol = protocols.get(row["protocol"])
        if row["metric"] == THRESHOLD.name and protocol and math.isfinite(float(row["value"])):
            yield {
                "testset": row["testset"],
                "protocol": protocol.name,
                "title": protocol.title,
                "meaning": protocol.note,
                "value": float(row["value"]),
            }


def _by_nearness(names: list[str], cohort: str) -> list[str]:
    """Return test sets: the training cohort's own patients, its scans with implanted lesions, then all others."""
    return sorted(names, key=lambda name: (name != cohort, not name.startswith(f"{cohort}-"), name))


def _own_threshold(thresholds: list[dict[str, Any]], testsets: list[str]) -> dict[str, Any] | None:
    for testset in testsets:
        known = {row["protocol"]: row for row in thresholds if row["testset"] == testset}
        for protocol in PREFERRED:
            if protocol in known:
                return known[protocol]
    return None


def _validation(run: Run, testset: str, thresholds: list[dict[str, Any]]) -> dict[str, float]:
    """Return means over the validation samples of a test set, at the threshold that is preferred."""
    own = _own_threshold(thresholds, [testset])
    cut = own["value"] if own else None
    scored: list[dict[str, float]] = []
    with Maps(run.folder / "eval" / testset / "maps.h5") as maps, Pack(run.pack(testset, "validation")) as pack:
        for index, name in enumerate(pack.names):
            anomaly_map = maps.anomaly_map(maps.row(pack.split, name))
            about = (pack.lesion(index), pack.brain(index), pack.spacing_mm)
            scored.append(
                {**scoring.score(anomaly_map, *about, threshold=cut), "healthy": float(pack.groups[index] == "healthy")}
            )
    healthy = [one for one in scored if one["healthy"]]
    lesioned = [one for one in scored if one["prevalence"] > 0]
    found = {"healthy": float(len(healthy)), "with_lesion": float(len(lesioned))}
    wanted = [("auprc", lesioned), ("auroc", lesioned), ("dice", lesioned), ("false_positive_rate", healthy)]
    for key, group in wanted:
        values = [one[key] for one in group if math.isfinite(one.get(key, math.nan))]
        found |= {key: float(np.mean(values))} if values else {}
    return found
