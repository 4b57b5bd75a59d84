"""Weights for a method that differs from another in its settings of inference alone: nothing is trained twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from madad.core.errors import UserError
from madad.core.provenance import complete, write_json
from madad.engine.model_files import read_model, save_model


def reuse(source: Path, run: Path, identity: dict[str, str]) -> None:
    """Write the files of a finished training into another run; `weights_from` in its `train.json` names the trained method.

    Args:
        source: folder of the run whose weights are reused.
        run: folder for the results.
        identity: cohort, modality, method and seed as text.

    Raises:
        UserError: no such run, an incomplete one, or one of another cohort, modality or seed.
    """
    metadata, weights = read_model(source / "model.safetensors")
    for key in ("cohort", "modality", "seed"):
        if str(metadata.get(key)) != identity[key]:
            raise UserError(f"{source}: a model of {key} {metadata.get(key)}, {identity[key]} is needed; name another folder")
    for name in ("train.json", "history.csv"):
        if not (source / name).is_file():
            raise UserError(f"{source}: the run has no {name}; train it again")
    record = json.loads((source / "train.json").read_text())
    save_model(run / "model.safetensors", weights, {**metadata, "method": identity["method"]})
    with complete(run / "history.csv") as partial:
        shutil.copyfile(source / "history.csv", partial)
    write_json(run / "train.json", {**record, "identity": identity, "weights_from": record["identity"]["method"]})
