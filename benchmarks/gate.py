"""Measure what MAD-AD's gate sees: which latent cells it takes for noise, in lesions and in healthy tissue, and why.

    python -m benchmarks.gate results/runs/soop/FLAIR/mad_ad/seed0/model.safetensors results/packs/soop/FLAIR/test.h5

The first table has a row for every level of the chain, of latents as they are encoded: the share of cells below the gate's
threshold (cells of lesions, other cells of the same scans, cells of scans without a lesion), and how well the probability of
noise ranks lesion cells; below it the share that the whole chain has changed. The second compares lesions with noise of every
level: how far their cells are from the mean latent, and how rough they are. A minute on one core for 140 slices.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.settings_at_test import with_changes
from madad.core.io.hdf5 import Pack
from madad.evaluation.metrics.ordinal_scores import count, to_ordinals
from madad.evaluation.metrics.voxel_metrics import auroc, average_precision
from madad.methods.mad_ad import MADAD
from madad.models.diffusion.forward import add_noise
from madad.models.diffusion.gated import CLEAN

# Of the probability of being clean, below which a cell is taken for noise; the published one first.
GATES = (CLEAN, 0.8, 0.9, 0.95)


class Cells(NamedTuple):
    """The latent cells of one scan: latents (S, C, h, w), and which of them are brain and lesion, (S, h, w) bool."""

    latents: Tensor
    brain: Tensor
    lesion: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--samples", type=int, default=0, help="number of scans, from the first one; 0: all")
    parser.add_argument("--base", default="mad_ad", help="card of a variant")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    method = with_changes(arguments.model, {}, arguments.base).eval()
    with torch.inference_mode():
        scans = list(encoded(method, arguments.pack, arguments.samples))
        gate(method, scans)
        chain(method, scans)
        roughness(method, scans)


def encoded(method: MADAD, path: Path, samples: int) -> Iterator[Cells]:
    """Yield the cells of every scan of a pack."""
    with Pack(path) as pack:
        for index in range(samples or len(pack)):
            volume = torch.from_numpy(pack.image(index)).clamp(0, 1)[:, None]
            masks = (torch.from_numpy(mask).float()[:, None] for mask in (pack.brain(index), pack.lesion(index)))
            brain, lesion = (functional.avg_pool2d(mask, method.autoencoder.downsampling)[:, 0] > 0.5 for mask in masks)
            yield Cells(method._encode(volume), brain, lesion & brain)


def gate(method: MADAD, scans: list[Cells]) -> None:
    """Print what is taken for noise at every level."""
    columns = "".join(f"  P(clean)<{threshold:g}: lesion, rest, free" for threshold in GATES)
    print(f"level{columns}   AUPRC  AUROC of P(noisy), {sum(bool(scan.lesion.any()) for scan in scans)} scans with a lesion")
    for t in method.test_timesteps:
        keep = [method._denoise(scan.latents, torch.full((len(scan.latents),), t))[1][:, 0] for scan in scans]
        groups = _grouped(keep, scans)
        shares = "".join("     " + ",".join(f"{(own < threshold).float().mean():8.2%}" for own in groups) for threshold in GATES)
        counts = [
            count(to_ordinals((1 - one[scan.brain]).numpy()), scan.lesion[scan.brain].numpy())
            for one, scan in zip(keep, scans, strict=True)
            if scan.lesion.any()
        ]
        ranked = [float(np.mean([metric(own) for own in counts])) for metric in (average_precision, auroc)]
        print(f"{t:5}{shares}  {ranked[0]:6.3f} {ranked[1]:6.3f}", flush=True)


def chain(method: MADAD, scans: list[Cells]) -> None:
    """Print the share of cells that the chain of the method has changed, for the same groups of cells."""
    changed = [
        (method._clean(scan.latents, torch.Generator().manual_seed(number)) != scan.latents).any(dim=1)
        for number, scan in enumerate(scans)
    ]
    shares = ",".join(f"{own.float().mean():8.2%}" for own in _grouped(changed, scans))
    print(f"chain     {shares}")


def _grouped(values: list[Tensor], scans: list[Cells]) -> list[Tensor]:
    """Return the values of lesion cells, of the other cells of these scans, and of the cells of scans without a lesion."""
    pairs = list(zip(values, scans, strict=True))
    return [
        torch.cat([one[scan.lesion] for one, scan in pairs]),
        torch.cat([one[scan.brain & ~scan.lesion] for one, scan in pairs if scan.lesion.any()]),
        torch.cat([one[scan.brain] for one, scan in pairs if not scan.lesion.any()]),
    ]


def roughness(method: MADAD, scans: list[Cells]) -> None:
    """Print how far cells are from the mean latent, and from the mean of the nine cells around them."""
    free = [scan for scan in scans if not scan.lesion.any()]
    mean = torch.cat([scan.latents.movedim(1, -1)[scan.brain] for scan in free]).mean(dim=0)
    print(f"\n{'cells':>28} {'from the mean':>14} {'from neighbours':>16}")
    ill = [scan for scan in scans if scan.lesion.any()]
    _print("of lesions", [(scan.latents, scan.lesion) for scan in ill], mean)
    _print("other cells of these scans", [(scan.latents, scan.brain & ~scan.lesion) for scan in ill], mean)
    _print("of scans without a lesion", [(scan.latents, scan.brain) for scan in free], mean)
    generator = torch.Generator().manual_seed(0)
    for t in range(len(method.alphas_cumprod)):
        noised = []
        for scan in free:
            noise = torch.randn(scan.latents.shape, generator=generator)
            levels = torch.full((len(scan.latents),), t)
            noised.append((add_noise(scan.latents, noise, levels, method.alphas_cumprod), scan.brain))
        _print(f"the same, noise of level {t}", noised, mean)


def _print(name: str, scans: list[tuple[Tensor, Tensor]], mean: Tensor) -> None:
    far, rough = [], []
    for latents, chosen in scans:
        around = functional.avg_pool2d(functional.pad(latents, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        far.append((latents.movedim(1, -1) - mean)[chosen])
        rough.append((latents - around).movedim(1, -1)[chosen])
    sizes = [torch.cat(parts).square().mean().sqrt().item() for parts in (far, rough)]
    print(f"{name:>28} {sizes[0]:14.3f} {sizes[1]:16.3f}")


if __name__ == "__main__":
    main()
