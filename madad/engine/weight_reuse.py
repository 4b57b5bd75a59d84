"""Weights for a method that differs from another in its settings of inference alone: nothing is trained twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from madad.core.errors import UserError
from madad.core.provenance import complete, write_json
from madad.engine.model_files import read_model, save_model


def adopt(lender: Path, run: Path, identity: dict[str, str]) -> None:
    """Write the files of a training into `run`: those of the lender under another name, which `train.json` says.

    Args:
        lender: folder of the run whose weights are taken.
        run: folder for the results.
        identity: cohort, modality, method and seed as text.

    Raises:
        UserError: no such run, an incomplete one, or one of another cohort, modality or seed.
    """
    metadata, weights = read_model(lender / "model.safetensors")
    for key in ("cohort", "modality", "seed"):
        if str(metadata.get(key)) != identity[key]:
            raise UserError(f"{lender}: a model of {key} {metadata.get(key)}, {identity[key]} is needed; name another folder")
    for name in ("train.json", "history.csv"):
        if not (lender / name).is_file():
            raise UserError(f"{lender}: the run has no {name}; train it again")
    told = json.loads((lender / "train.json").read_text())
    save_model(run / "model.safetensors", weights, {**metadata, "method": identity["method"]})
    with complete(run / "history.csv") as partial:
        shutil.copyfile(lender / "history.csv", partial)
    write_json(run / "train.json", {**told, "identity": identity, "lender": told["identity"]["method"]})
