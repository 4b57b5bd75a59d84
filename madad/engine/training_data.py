"""Training data: the slices or volumes of healthy subjects, held in memory, drawn from coordinates.

Slices with at least one brain voxel are used; lesion masks are never read. Every step draws its images uniformly and
with replacement from (seed, step), so that neither a resumed run nor a faster device sees other data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from madad.core.interfaces import Batch
from madad.core.io.hdf5 import Pack
from madad.core.provenance import content_hash
from madad.core.seeds import torch_generator

# Data may take this share of a GPU's free memory; beyond it they stay in the host's memory.
RESIDENT_SHARE = 0.4


@dataclass(frozen=True)
class Images:
    """Slices or volumes of healthy subjects.

    Attributes:
        image: (N, 1, H, W) or (N, 1, S, H, W) float32.
        brain: of the same shape, bool.
        subjects: how many subjects they come from.
        volume_shape: (S, H, W) of a volume; zeros for an empty pack.
        modality: of the pack.
        content: hash of what was read and of which subjects.
    """

    image: torch.Tensor
    brain: torch.Tensor
    subjects: int
    volume_shape: tuple[int, int, int]
    modality: str
    content: str

    def __len__(self) -> int:
        return len(self.image)

    def batch(self, indices: torch.Tensor, device: torch.device) -> Batch:
        """The images of the given indices, on the device."""
        rows = indices.to(self.image.device)
        return {"image": self.image[rows].to(device), "brain": self.brain[rows].to(device)}

    def draw(self, count: int, device: torch.device, *coordinates: int | str) -> Batch:
        """Random images that depend on the coordinates alone."""
        return self.batch(torch.randint(len(self), (count,), generator=torch_generator(*coordinates)), device)

    def spread(self, count: int) -> torch.Tensor:
        """Indices of at most `count` images, evenly spread over subjects and heights."""
        return torch.from_numpy(np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(np.int64)))


def read_images(path: str | Path, device: torch.device, kind: str = "slices") -> Images:
    """Read the healthy subjects of a pack; on a GPU the images live there if they fit.

    Args:
        path: a pack.
        device: where training happens.
        kind: "slices" with brain in them, or whole "volumes".

    Raises:
        UserError: no readable pack.
    """
    with Pack(path) as pack:
        healthy = pack.healthy()
        grid = pack.shape if kind == "volumes" else pack.shape[1:]
        images, brains = [np.zeros((0, *grid), np.float32)], [np.zeros((0, *grid), bool)]
        for index in healthy:
            image, brain = pack.image(index), pack.brain(index)
            inside = brain.any(axis=(1, 2))
            images.append(image[None] if kind == "volumes" else image[inside])
            brains.append(brain[None] if kind == "volumes" else brain[inside])
        content = content_hash([pack.content, [pack.names[index] for index in healthy]])
        image, brain = torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(brains))
        place = _place(image.nbytes + brain.nbytes, device)
        return Images(
            image=image.unsqueeze(1).to(place),
            brain=brain.unsqueeze(1).to(place),
            subjects=len(healthy),
            volume_shape=pack.shape,
            modality=pack.modality,
            content=content,
        )


def _place(size: int, device: torch.device) -> torch.device:
    if device.type != "cuda":
        return torch.device("cpu")
    free, _ = torch.cuda.mem_get_info(device)
    return device if size <= RESIDENT_SHARE * free else torch.device("cpu")
