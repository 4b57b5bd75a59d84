"""A model file in the place of a training, so that a workflow applies and scores weights that were learned elsewhere."""

from __future__ import annotations

from pathlib import Path

from madad.core.errors import UserError
from madad.core.io import model_archive
from madad.core.logs import say
from madad.core.provenance import complete, write_json

HISTORY = "step,loss,validation_loss,seconds,slices_per_s\n"


def into_run(file: Path, run: Path) -> None:
    """Write `model.safetensors`, `train.json` and an empty `history.csv` of a model into the folder of a run.

    The record names the data that the model was trained on, which are none of the run's own, so that the leakage guard asks for a
    look. Inference still refuses weights whose hyper-parameters or grid are not those of the configuration.

    Args:
        file: a model file.
        run: `results/runs/<cohort>/<modality>/<method>/seed<n>`, not trained yet.

    Raises:
        UserError: the model cannot be read, is of another sequence, or the folder holds a model.
    """
    from safetensors.torch import load

    from madad.engine.model_files import read_model, save_model

    about = model_archive.read_about(file)
    identity = _identity(run)
    if identity["modality"] != about["modality"]:
        raise UserError(
            f"{run}: is a run on {identity['modality']}, but {file} was trained on {about['modality']}; name another run"
        )
    if (run / "model.safetensors").exists():
        raise UserError(f"{run}: holds a model already; delete the folder first if you want another in its place")
    content = model_archive.read_weights(file)
    run.mkdir(parents=True, exist_ok=True)
    with complete(run / "imported.safetensors") as partial:
        partial.write_bytes(content)
        metadata, _ = read_model(partial)
        save_model(run / "model.safetensors", load(content), {**metadata, **identity, "seed": int(identity["seed"])})
    (run / "imported.safetensors").unlink()
    with complete(run / "history.csv") as partial:
        partial.write_text(HISTORY)
    write_json(run / "train.json", _record(about, metadata, identity, file))
    say(f"{run}: holds {about['name']} of {file}; `snakemake` applies it without training")


def _identity(run: Path) -> dict[str, str]:
    cohort, modality, method, seed = run.resolve().parts[-4:]
    if not seed.removeprefix("seed").isdigit():
        raise UserError(f"{run}: is no folder of a run; name results/runs/<cohort>/<modality>/<method>/seed<n>")
    return {"cohort": cohort, "modality": modality, "method": method, "seed": seed.removeprefix("seed")}


def _record(about: dict, metadata: dict, identity: dict[str, str], file: Path) -> dict:
    known = about["weights"]
    data = about["training_data"][0]
    return {
        "identity": identity,
        "parameters": metadata["parameters"],
        "options": about["training_options"],
        "parts": {},
        "seed": int(identity["seed"]),
        "data": {
            use: {"content": data[split]["content"], "subjects": data[split]["subjects"], "images": data[split]["images"]}
            for use, split in (("training", "train"), ("validation", "validation"))
        },
        "image_shape": known["image_shape"],
        "parameter_count": known["parameter_count"],
        "fingerprint": metadata["fingerprint"],
        "steps": known["steps"],
        "best_step": known["best_step"],
        "best_validation_loss": about["metrics"]["best_validation_loss"],
        "seconds": None,
        "peak_memory_mb": None,
        "imported_from": {"file": file.name, "trained_on": data["name"], "sha256": known["sha256"]},
        "environment": {key: value for key, value in about["code"].items() if key != "exported by"},
    }
