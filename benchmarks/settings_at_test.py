"""Compare settings of inference for a trained model: AUPRC inside the brain, and seconds per volume.

    python -m benchmarks.settings_at_test results/runs/ixi/T1w/conddiff/seed0/model.safetensors \
        results/packs/ixi-implanted/T1w/test.h5 --set sampling_steps=250,50,10 [--samples 20]

The weights come from the file, so a setting that changes their number is an error. Other settings of inference have the
defaults of the card, or the values of `--keep parameter=value …`. Maps are post-processed as in every evaluation. The ratio
is relative to the first setting.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from madad.configuration import cards
from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack
from madad.core.logs import progress
from madad.engine import devices
from madad.engine.inference import _predict
from madad.engine.model_files import load_model, read_metadata
from madad.evaluation.metrics.ordinal_scores import count
from madad.evaluation.metrics.voxel_metrics import average_precision
from madad.evaluation.protocol.postprocessing import coded
from madad.evaluation.statistics.intervals import Interval, mean_interval
from madad.methods import registry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--set", required=True, help="parameter=value,value,...; lists between semicolons: t=[250];[500]")
    parser.add_argument("--keep", nargs="*", default=[], help="parameter=value, the same in all rows")
    parser.add_argument("--samples", type=int, default=0, help="number of samples with a lesion, from the first one; 0: all")
    parser.add_argument("--base", help="card of a variant; by default the name of the method")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    key, _, texts = arguments.set.partition("=")
    kept = {name: _value(text) for name, _, text in (pair.partition("=") for pair in arguments.keep)}
    values = [_value(text) for text in texts.split(";" if "[" in texts else ",")]
    device, first = devices.pick(arguments.device), None
    print(f"{device}, {arguments.threads} threads, torch {torch.__version__}, {arguments.model}")
    print(f"{key:>24}{'AUPRC':>9}{'95 % interval':>18}{'s/volume':>10}{'ratio':>8}")
    for value in values:
        method = devices.move(with_changes(arguments.model, {**kept, key: value}, arguments.base), device).eval()
        scores, seconds = measure(method, arguments.pack, arguments.samples, device)
        first = first or seconds
        bounds = f"[{scores.low:.3f}, {scores.high:.3f}]"
        print(f"{value!s:>24}{scores.value:9.4f}{bounds:>18}{seconds:10.2f}{seconds / first:8.3f}", flush=True)


def measure(method: nn.Module, path: Path, samples: int, device: torch.device) -> tuple[Interval, float]:
    """Return the mean AUPRC with its interval over subjects, and the median time per volume in seconds."""
    precisions, subjects, seconds = [], [], []
    with Pack(path) as pack:
        lesioned = [index for index in range(len(pack)) if pack.lesion(index).any()]
        for index in progress(lesioned[: samples or None], "inference"):
            prediction, brain = _predict(method, pack, index, 0, device), pack.brain(index)
            ordinals = coded(prediction.anomaly_map, brain)
            counts = count(ordinals[brain], pack.lesion(index)[brain])
            precisions.append(float(average_precision(counts)))
            subjects.append(pack.covariates[index]["subject"])
            seconds.append(prediction.seconds)
    interval = mean_interval(np.array(precisions), subjects, "share")
    return interval, float(np.median(seconds))


def with_changes(model: Path, changes: dict, base: str | None = None) -> nn.Module:
    """Return the model of a file with other settings; its parts are those of the method's card."""
    metadata = read_metadata(model)
    try:
        options = _options(base or metadata["method"], {**metadata["parameters"], **changes}, metadata["modality"])
    except UserError as error:
        raise SystemExit(str(error)) from None
    method = registry.assemble(options, int(metadata["seed"]))
    load_model(method, model, {})
    return method


def _options(base: str, trained_with: dict, modality: str) -> dict:
    own = {key: value for key, value in trained_with.items() if key != "parts"}
    roles = cards.load(base)["requires"]
    required = {role: _options(roles[role]["default"], inner, modality) for role, inner in trained_with.get("parts", {}).items()}
    parts = {role: {**options, "overrides": {}} for role, options in required.items()}
    return {"base": base, "parameters": cards.resolve(base, own, {}, modality)["parameters"], "parts": parts}


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


if __name__ == "__main__":
    main()
