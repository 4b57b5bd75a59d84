"""Inference, the same for every method: one anomaly map per subject, with its time and peak memory."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from madad.core.errors import UserError
from madad.core.intensity_scale import HIGHEST, LOWEST
from madad.core.interfaces import Method, conforming
from madad.core.io.hdf5 import Pack, Prediction, write_maps
from madad.core.logs import progress
from madad.core.provenance import PACKAGE, content_hash, fingerprint
from madad.core.seeds import seed_from, torch_generator
from madad.engine import devices
from madad.engine.divergence import is_saturated
from madad.engine.model_files import load_model
from madad.engine.observations import Observations


def infer(method: nn.Module, *, model: Path, packs: list[Path], identity: dict, seed: int, out: Path, device: str) -> None:
    """Write the anomaly map and the reconstruction of every subject of the packs into one file.

    Args:
        method: from `madad.methods.registry.build`, with the model's hyper-parameters.
        model: its trained weights.
        packs: usually the validation and the test split of a test set.
        identity: cohort, modality, method, seed and test set as text, for the attributes of the file.
        seed: seed of all random numbers; a map depends on it and on the subject's name (for a corrupted sample on the name of its
            base), not on the other subjects.
        out: the HDF5 file to write.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".

    Raises:
        UserError: the model has another method, parameters, modality or grid, or a map is not finite.
    """
    devices.keep_freed_memory()
    with ExitStack() as stack:
        chosen = stack.enter_context(devices.lease(device))
        opened = [stack.enter_context(Pack(path)) for path in packs]
        metadata = load_model(method, Path(model), _expected(method, identity, opened))
        devices.move(method, chosen).eval()
        code = fingerprint(*(m for m in (type(method).__module__, "madad.engine.inference") if m.startswith(f"{PACKAGE}.")))
        detector = conforming(method, Method)
        parts = [metadata["fingerprint"], dict(detector.hyperparameters), code, seed, [pack.content for pack in opened]]
        attributes = {key: str(value) for key, value in identity.items()} | {"fingerprint": content_hash(parts)}
        attributes["hyperparameters"] = json.dumps(detector.hyperparameters, sort_keys=True)
        # the evaluation refuses maps that were computed from other images or by another method
        attributes |= {f"content_{pack.split}": pack.content for pack in opened}
        write_maps(out, _predictions(detector, opened, seed, chosen, int(metadata.get("steps", 0))), attributes)


def _expected(method: nn.Module, identity: dict, packs: list[Pack]) -> dict:
    parameters = dict(conforming(method, Method).trained_with)
    expected = {"method": identity["method"], "modality": identity["modality"], "parameters": parameters}
    for pack in packs:
        if pack.modality != identity["modality"]:
            raise UserError(f"{pack.path}: contains {pack.modality}, {identity['modality']} is needed")
    shapes = {pack.shape for pack in packs if len(pack)}
    if len(shapes) > 1:
        raise UserError(f"{packs[0].path}: volumes of several shapes in one test set: {sorted(shapes)}")
    # a method without weights fits any shape
    return expected | ({"image_shape": list(shapes.pop())} if shapes and method.state_dict() else {})


def _predictions(method: Method, packs: list[Pack], seed: int, device: torch.device, steps: int) -> Iterator[Prediction]:
    jobs = [(pack, index) for pack in packs for index in range(len(pack))]
    if jobs:
        _predict(method, *jobs[0], seed, device)  # so that the first subject's time includes no start-up costs
    saturated, observations = [], Observations(getattr(method, "unobserved", {}))
    for pack, index in progress(jobs, "inference"):
        prediction = _predict(method, pack, index, seed, device)
        saturated.append(is_saturated(prediction, pack.brain(index), steps))
        observations.add(pack.groups[index], prediction.anomaly_map, getattr(method, "observed", {}))
        yield prediction
    observations.tell()
    if saturated and all(saturated) and list(getattr(method, "parameters", list)()):
        raise UserError(
            f"{jobs[0][0].path}: the map of every subject has one value nearly everywhere in the brain, or its reconstruction is "
            "at one end of the scale there; train again with a lower training.learning_rate. The training has diverged, and the "
            "maps are not scored"
        )


def _predict(method: Method, pack: Pack, index: int, seed: int, device: torch.device) -> Prediction:
    name = pack.names[index]
    # A corrupted sample is given the noise of its base sample, so that their maps differ only by the artefact.
    draws = str(pack.covariates[index].get("base", name))
    devices.reset_peak_memory(device)
    made = apply(method, pack.image(index), pack.brain(index), seed, draws, device)
    return Prediction(
        name=name,
        split=pack.split,
        anomaly_map=_finite(made.anomaly_map, name, pack),
        reconstruction=None if made.reconstruction is None else _finite(made.reconstruction, name, pack),
        seconds=made.seconds,
        peak_memory_mb=devices.peak_memory_mb(device),
        flagged_share=getattr(method, "observed", {}).get("flagged_share", np.nan),
    )


class Applied(NamedTuple):
    """What a method makes of one image: map and reconstruction (S, H, W) float32, and the wall time of both."""

    anomaly_map: np.ndarray
    reconstruction: np.ndarray | None
    seconds: float


@torch.inference_mode()
def apply(method: Method, image: np.ndarray, brain: np.ndarray, seed: int, draws: str, device: torch.device) -> Applied:
    """Apply a method to one image.

    Args:
        method: with its weights, on the device.
        image: (S, H, W) float32 on the scale of a pack, 0 outside the brain.
        brain: (S, H, W) bool.
        seed: of all random numbers.
        draws: name of the image, from which its random numbers follow as well.
        device: that the method is on.
    """
    whole = torch.from_numpy(image).unsqueeze(1).to(device)
    volume = whole.clamp(LOWEST, HIGHEST)
    inside = torch.from_numpy(brain).to(device)
    generator = torch_generator(seed, "inference", draws)
    torch.manual_seed(seed_from(seed, "inference layers", draws))
    devices.synchronise(device)
    begun = time.perf_counter()
    made = method.reconstruct(volume, generator)
    scored = whole if getattr(method, "whole_scale", False) else volume
    anomaly_map = method.anomaly_map(scored, made, inside, generator)
    devices.synchronise(device)
    seconds = time.perf_counter() - begun
    stored = None if made is None else made.reshape(-1, *volume.shape).mean(dim=0)[:, 0].float().cpu().numpy()
    return Applied(anomaly_map.float().cpu().numpy(), stored, seconds)


def _finite(array: np.ndarray, name: str, pack: Pack) -> np.ndarray:
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        raise UserError(
            f"{pack.path}: the method's output for {name} has {bad} of {array.size} voxels that are NaN or infinite; "
            "check the subject's image, or train again with a lower training.learning_rate"
        )
    return array
