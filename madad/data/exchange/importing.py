"""What a method whose maps are made outside madad leaves in the folder of its run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from madad.core.io.hdf5 import Pack, write_maps
from madad.core.provenance import complete, content_hash, environment, write_json

HISTORY = "step,loss,validation_loss,seconds,slices_per_s\n"


def record(run: Path, identity: dict, options: dict) -> None:
    """Write `history.csv` without steps, and a `train.json` that knows of no training data.

    Args:
        run: folder of the run.
        identity: cohort, modality, method and seed as text.
        options: `base` and `parameters` from the configuration.
    """
    with complete(run / "history.csv") as partial:
        partial.write_text(HISTORY)
    facts = {
        "identity": identity,
        "parameters": options["parameters"],
        "options": {},
        "parts": {},
        "seed": int(identity["seed"]),
        "data": {},
        "made_by": options["base"],
    }
    nothing = dict.fromkeys(("image_shape", "parameter_count", "best_validation_loss", "seconds", "peak_memory_mb"))
    write_json(
        run / "train.json",
        {**facts, **nothing, "steps": 0, "best_step": 0, "fingerprint": content_hash(facts), "environment": environment()},
    )


def write(packs: Sequence[Path], options: dict, identity: dict, out: Path, *, tables: Sequence[Path], gpus: int) -> None:
    """Write the maps of a method that are made outside madad as `madad.engine.inference.infer` writes those of any other.

    Args:
        packs: usually the validation and the test split of a test set.
        options: `base` and `parameters` from the configuration.
        identity: cohort, modality, method, seed and test set as text.
        out: the HDF5 file to write.
        tables: of the images behind the packs, for maps in the space of the image files.
        gpus: number of GPUs of the job.

    Raises:
        UserError: maps are missing or cannot be used, or the program that makes them fails.
    """
    parameters = options["parameters"]
    with ExitStack() as stack:
        opened = [stack.enter_context(Pack(path)) for path in packs]
        if options["base"] == "program":
            from madad.data.exchange import program

            made = program.predictions(opened, parameters, out.parent / ".program", gpus)
        else:
            from madad.data.exchange import given_maps  # loads ANTs

            made = given_maps.predictions(opened, parameters, tables)
        attributes = {key: str(value) for key, value in identity.items()}
        attributes["fingerprint"] = content_hash([options, identity, [pack.content for pack in opened]])
        attributes["hyperparameters"] = json.dumps(parameters, sort_keys=True)
        # the evaluation refuses maps of other images
        attributes |= {f"content_{pack.split}": pack.content for pack in opened}
        write_maps(out, made, attributes)
