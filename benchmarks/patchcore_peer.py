"""Compare the bank, the distances and the maps of `patchcore` with those of anomalib on the features of one set of slices.

    python -m benchmarks.patchcore_peer results/packs/soop/FLAIR [--candidates 5000] [--bank 500] [--encoder WEIGHTS]

Both get the same features, of healthy training slices and of validation slices with a lesion: those of an encoder of madad with
random weights, or of the run of `spark` that is named. anomalib is no dependency of madad: install it into an environment of its
own (`pip install -c constraints.txt anomalib`). CPU seconds are of the process, with one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib.models.components import KCenterGreedy
from anomalib.models.image.patchcore.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from scipy.stats import spearmanr
from torch import Tensor

from madad.configuration import cards
from madad.core.io.hdf5 import Pack
from madad.core.seeds import torch_generator
from madad.engine.model_files import load_model
from madad.evaluation.metrics.ordinal_scores import count
from madad.evaluation.metrics.voxel_metrics import average_precision
from madad.evaluation.protocol.postprocessing import coded
from madad.methods import registry
from madad.models.networks.cell_features import brain_cells, take
from madad.models.networks.nearest import nearest_distance, spread_out

ENCODER = {"encoder_depth": 18, "encoder_width": 16, "encoder_stages": 3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packs", type=Path)
    parser.add_argument("--candidates", type=int, default=5000)
    parser.add_argument("--bank", type=int, default=500)
    parser.add_argument("--encoder", type=Path, help="model.safetensors of a run of spark with the sizes of this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    method, candidates = fitted(arguments)
    peer: Any = PatchcoreModel(layers=["layer2", "layer3"], backbone="resnet18", pre_trained=False).eval()
    print(
        f"{len(candidates)} candidates of {candidates.shape[1]} channels, a bank of {arguments.bank}, torch {torch.__version__}"
    )
    ours, its = chosen(candidates, arguments.bank)
    for name, bank in (("madad", ours), ("anomalib", its)):
        method.bank = peer.memory_bank = bank
        compare_maps(name, method, peer, arguments.packs / "validation.h5")


def fitted(arguments: argparse.Namespace) -> tuple[Any, Tensor]:
    """Return the method with the scale of healthy features, and standardised candidates for its bank."""
    part = {"base": "spark", "parts": {}, "method": "spark", "overrides": {}, **cards.resolve("spark", ENCODER, {}, None)}
    sizes = {"bank_candidates": arguments.candidates, "bank_size": 1}
    options = {"base": "patchcore", "parts": {"encoder": part}, **cards.resolve("patchcore", sizes, {}, None)}
    weights = (lambda _, module: load_model(module, arguments.encoder, {})) if arguments.encoder else (lambda *_: None)
    method: Any = registry.assemble(options, 0, weights).eval()
    with Pack(arguments.packs / "train.h5") as pack, torch.no_grad():
        batches = [slices(pack, index) for index in range(len(pack))]
        method.fit([{"image": image, "brain": brain} for image, brain in batches], torch_generator("peer"))
        rows = torch.cat([cells(method, image, brain) for image, brain in batches])
    drawn = torch.randperm(len(rows), generator=torch_generator("peer", "cells"))[: arguments.candidates]
    return method, rows[drawn]


def slices(pack: Pack, index: int) -> tuple[Tensor, Tensor]:
    """Return the slices (S, 1, H, W) of a sample and where they are brain."""
    return torch.from_numpy(pack.image(index))[:, None], torch.from_numpy(pack.brain(index))[:, None]


def cells(method: Any, image: Tensor, brain: Tensor) -> Tensor:
    """Return the standardised features of the brain's cells (N, C)."""
    features = method.features(image)
    return take(features, brain_cells(brain, features.shape[2:]))


def chosen(candidates: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Return the banks of both, and print how well they cover the candidates."""

    def anomalib() -> Tensor:
        torch.manual_seed(0)
        return KCenterGreedy(candidates, number / len(candidates)).sample_coreset()

    def madad() -> Tensor:
        return candidates[spread_out(candidates, number, torch_generator("bank"))]

    banks = []
    print(f"{'bank':12}{'size':>6}{'CPU s':>8}{'covering radius':>17}{'mean distance':>15}")
    for name, choose in (("madad", madad), ("anomalib", anomalib)):
        bank, seconds = timed(choose)
        distance = nearest_distance(candidates, bank)
        print(f"{name:12}{len(bank):6}{seconds:8.1f}{float(distance.max()):17.3f}{float(distance.mean()):15.3f}")
        banks.append(bank)
    return banks[0], banks[1]


def compare_maps(name: str, method: Any, peer: Any, path: Path) -> None:
    """Print how far distances and maps of both are from each other with one bank, and what each finds."""
    gaps, ranks, found = [], [], []
    with Pack(path) as pack, torch.no_grad():
        for index in (index for index in range(len(pack)) if pack.lesion(index).any()):
            image, brain = slices(pack, index)
            rows, inside = cells(method, image, brain), brain[:, 0].numpy()
            here, there = nearest_distance(rows, method.bank), peer.nearest_neighbors(rows, 1)[0]
            gaps.append(float((here - there).abs().max() / here.max()))
            ours = method.anomaly_map(image, None, brain[:, 0], torch_generator("map"))
            alike, theirs = (their_map(method, peer, image, sigma) for sigma in (method.smoothing * max(image.shape[2:]), 4))
            maps = [scores.numpy() for scores in (ours, alike, theirs)]
            ranks.append([spearmanr(maps[0][inside], other[inside]).statistic for other in maps[1:]])
            found.append([precision(scores, inside, pack.lesion(index)) for scores in maps])
    mean, rank = np.mean(found, axis=0), np.mean(ranks, axis=0)
    print(
        f"bank of {name}: distances differ by {max(gaps):.1e} of the largest; AUPRC of {len(found)} slices {mean[0]:.4f} (madad)"
    )
    print(f"  anomalib with our blur {mean[1]:.4f}, with its own {mean[2]:.4f}; rank correlation {rank[0]:.3f} and {rank[1]:.3f}")


def their_map(method: Any, peer: Any, image: Tensor, sigma: float) -> Tensor:
    """Return anomalib's map (S, H, W) of all cells, those outside the brain too, with a blur of some pixels."""
    features = method.features(image)
    scores = peer.nearest_neighbors(peer.reshape_embedding(features), 1)[0]
    return AnomalyMapGenerator(sigma)(scores.reshape(len(image), 1, *features.shape[2:]), image.shape[2:])[:, 0]


def precision(scores: np.ndarray, brain: np.ndarray, lesion: np.ndarray) -> float:
    """Return the area under the precision-recall curve in the brain."""
    return float(average_precision(count(coded(scores, brain)[brain], lesion[brain])))


def timed(work: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """Return a result and the CPU seconds of the process for it."""
    begun = time.process_time()
    return work(), time.process_time() - begun


if __name__ == "__main__":
    main()
