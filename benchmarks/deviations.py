"""Measure the effect of deviations that remain from the papers' released code, for docs/reference/fidelity.md.

    python -m benchmarks.deviations [--images FOLDER]

Two minutes on one core. FOLDER holds T1w images (NIfTI, any layout), for what synthetic images cannot tell.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nibabel
import numpy as np
import torch

from madad.configuration import cards
from madad.data.anomalies.appearance import PRESETS, Appearance, draw_change, encode, lesion_mask, smooth_noise
from madad.data.anomalies.generator import Region, describe_region, flow_map
from madad.data.anomalies.shapes import blob
from madad.models.components.kl_autoencoder import KLAutoencoder

LESIONS, STEPS, SIDE = 20, 400, 32
FLOW = {"multiplier": 500.0, "diffusivity": 0.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, help="folder of T1w images")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lesion_starts()
    adversarial_losses()
    if arguments.images:
        separate_scaling(sorted(arguments.images.rglob("*T1w.nii*"))[:LESIONS])


def head(side: int = 80) -> Region:
    """Return an ellipsoid of brain at 2 mm."""
    axes = np.meshgrid(*[np.linspace(-1, 1, side)] * 3, indexing="ij")
    return describe_region(sum((axis / size) ** 2 for axis, size in zip(axes, (0.8, 0.95, 0.8), strict=True)) < 1, 2.0, "brain")


def start(region: Region, volume_ml: float, generator: np.random.Generator) -> np.ndarray:
    centre = np.array(np.unravel_index(generator.choice(np.flatnonzero(region.inside)), region.inside.shape))
    return blob(region.inside, centre, region.voxels(volume_ml), 1.5, generator)


def lesion_starts() -> None:
    """Print how far a flow of a fixed, short time leaves a lesion from its start, and how far one of a random time."""
    region = head()
    for name, times in (("T = 0.1", (0.1, 0.1)), ("T from 0.1 to 0.9", (0.1, 0.9))):
        overlaps, soft = [], []
        for index in range(LESIONS):
            generator = np.random.default_rng(index)
            before = start(region, 10.0, generator)
            after = flow_map(before, region, FLOW, float(generator.uniform(*times)), generator)
            mask, truth = lesion_mask(torch.from_numpy(after)[None])[0].numpy(), before >= 0.5
            overlaps.append(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
            soft.append(((after > 0.01) & (after < 0.99)).sum() / (after > 0.01).sum())
        print(f"lesions of 10 ml, {name}: Dice with the start {np.mean(overlaps):.2f}, soft voxels {100 * np.mean(soft):.0f} %")


def slices(count: int, seed: int) -> dict[str, torch.Tensor]:
    """Draw ellipses of brain with smooth patterns of two scales."""
    generator = np.random.default_rng(seed)
    row, column = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2, indexing="ij")
    brain = torch.from_numpy((row / 0.9) ** 2 + (column / 0.75) ** 2 < 1).expand(count, 1, SIDE, SIDE)
    fields = [
        0.5 + 0.15 * smooth_noise((SIDE, SIDE), 8, generator) + 0.1 * smooth_noise((SIDE, SIDE), 3, generator) for _ in brain
    ]
    return {"image": torch.stack(fields)[:, None].clamp(0, 1) * brain, "brain": brain}


def adversarial_losses() -> None:
    """Print how well the autoencoder reconstructs after the same steps with the losses of either paper."""
    shared = cards.tiny("kl_autoencoder")["parameters"] | {"base_channels": 16, "adversarial_start": 100}
    published = {"adversarial_loss": "hinge", "adversarial_weight": 0.5, "learnt_variance": True}
    kinds = {
        "least squares, weight 0.001": {"adversarial_weight": 0.001},
        "hinge, balanced, learnt variance": published,
        "none": {"adversarial_weight": 0.0},
    }
    held_out = slices(64, seed=1)
    for name, changes in kinds.items():
        torch.manual_seed(0)
        network = KLAutoencoder(**{**shared, **changes}).train()
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        data = slices(256, seed=0)
        for step in range(STEPS):
            rows = torch.randint(256, (16,), generator=torch.Generator().manual_seed(step))
            losses = network.training_loss({key: value[rows] for key, value in data.items()}, torch.Generator().manual_seed(step))
            optimiser.zero_grad()
            losses["loss"].backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
        with torch.no_grad():
            network.eval().training_loss(held_out, torch.Generator().manual_seed(0))
        print(f"autoencoder after {STEPS} steps, {name}: relative error {float(network.relative_error):.3f}")


def separate_scaling(paths: list[Path]) -> None:
    """Print by how much healthy tissue changes when an image with a lesion is stretched to [0, 1] on its own."""
    for preset in PRESETS:
        changes = []
        for index, path in enumerate(paths):
            volume = np.asarray(nibabel.load(path).dataobj, dtype=np.float32).squeeze()
            image, generator = torch.from_numpy(volume / volume.max())[None], np.random.default_rng(index)
            maps = torch.from_numpy(start(describe_region(volume > volume.mean(), 2.0, "box"), 20.0, generator))[None]
            change = draw_change(image, maps, torch.tensor([-1.0]), Appearance(preset), [generator])
            lesioned = encode(image, maps, change)
            changes.append(abs(1 / float(lesioned.max()) - 1))
        print(
            f"{preset}, dark lesions of 20 ml in {len(paths)} images: healthy tissue scaled by {100 * np.mean(changes):.2f} % on "
            f"average, {100 * np.max(changes):.2f} % at most"
        )


if __name__ == "__main__":
    main()
