"""The folder of a finished training: what its record and the configuration of its results say of the model."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madad.configuration import cards
from madad.core.errors import UserError, did_you_mean
from madad.engine.model_files import read_model


@dataclass(frozen=True)
class Run:
    """The folder of a finished training, and what belongs to it.

    Attributes:
        folder: of the run.
        results: the results that it lies in.
        record: its `train.json`.
        config: the configuration of the results.
    """

    folder: Path
    results: Path
    record: dict[str, Any]
    config: dict[str, Any]

    @property
    def identity(self) -> dict[str, str]:
        """Cohort, modality, method and seed."""
        return self.record["identity"]

    @property
    def cohort(self) -> dict[str, Any]:
        """Options of the training cohort."""
        return self.config["cohorts"][self.identity["cohort"]]

    def pack(self, testset: str, split: str) -> Path:
        """Return a pack of the run's sequence."""
        return self.results / "packs" / testset / self.identity["modality"] / f"{split}.h5"


def open_run(folder: Path) -> Run:
    """Return a run.

    Raises:
        UserError: it is not finished, or its results have no record of their configuration.
    """
    results = folder.resolve().parents[4]
    record = read_json(folder / "train.json", "name the folder of a run whose training is finished")
    known = read_json(results / "provenance.json", "run `snakemake results/provenance.json` with the options of the run")
    return Run(folder, results, record, known["configuration"])


def options_of(run: Run) -> dict[str, Any]:
    """Return what the method was built from, after comparing it with the record of its training."""
    from madad.methods import registry

    method, modality = run.identity["method"], run.identity["modality"]
    entries = {**run.config["methods"], **run.config["parts"]}
    if method not in entries or modality not in entries[method]["options"]:
        raise UserError(
            f"{run.results}/provenance.json: knows no {method} for {modality}{did_you_mean(method, entries)}; make it again with "
            "the options of the run"
        )
    if entries[method]["base"] in cards.elsewhere():
        raise UserError(f"{run.folder}: the maps of {method} are made outside madad, so that there is no model to export")
    options = entries[method]["options"][modality]
    if registry.trained_with(options) != run.record["parameters"]:
        raise UserError(
            f"{run.results}/provenance.json: {method} has other hyper-parameters there than in {run.folder}/train.json; run "
            "`snakemake` with the options of the run, so that both are of one configuration"
        )
    return options


def of_method(run: Run, options: dict[str, Any]) -> dict[str, Any]:
    """Return what a model file says of the method."""
    card, base = cards.load(options["base"]), options["base"]
    trained = cards.of_training(base, options["parameters"])
    return {
        "name": run.identity["method"],
        "base": base,
        "title": card["title"],
        "description": card["summary"],
        "authors": card["authors"],
        "doi": card["doi"],
        "track": card["track"],
        "modality": run.identity["modality"],
        "seed": int(run.identity["seed"]),
        "build": {key: options[key] for key in ("base", "parameters", "parts")},
        "training_options": options["training"],
        "inference_parameters": sorted(set(options["parameters"]) - set(trained)),
    }


def kept_parts(run: Run) -> dict[str, str]:
    """Return the fingerprints of those parts, by role, that the method works on, which are those that its model file holds."""
    _, weights = read_model(run.folder / "model.safetensors")
    kept = {component for name in weights for component in name.split(".")[:-1]}
    return {role: fingerprint for role, fingerprint in run.record.get("parts", {}).items() if role in kept}


def finite(value: Any) -> Any:
    """Return a value with null for every number that JSON cannot write."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Return what a JSON file holds.

    Raises:
        UserError: no such file, or no JSON; with the remedy.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {remedy}") from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); {remedy}") from None
