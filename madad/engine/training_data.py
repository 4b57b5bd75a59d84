"""Training data: slices or volumes of healthy subjects, held in memory and drawn by coordinates.

Slices with at least one brain voxel are used; lesion masks are never read. The images of a step are drawn uniformly and with
replacement and depend only on (seed, step), so that resuming or another device cannot change them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from madad.core import draws
from madad.core.errors import UserError
from madad.core.intensity_scale import seen
from madad.core.interfaces import Batch
from madad.core.io.hdf5 import Pack
from madad.core.provenance import content_hash
from madad.core.seeds import torch_generator
from madad.core.shapes import Shape3
from madad.core.validation_parts import Part, chosen_for

# Data may take this share of a GPU's free memory; larger data stay in the memory of the host.
RESIDENT_SHARE = 0.4


@dataclass(frozen=True)
class Images:
    """Slices or volumes of healthy subjects.

    Attributes:
        image: (N, 1, H, W) or (N, 1, S, H, W) float32.
        brain: of the same shape, bool.
        subjects: number of subjects they come from.
        volume_shape: (S, H, W) of a volume; zeros for an empty pack.
        modality: modality of the pack.
        content: hash of the images and of the names of the subjects.
    """

    image: torch.Tensor
    brain: torch.Tensor
    subjects: int
    volume_shape: Shape3
    modality: str
    content: str

    def __len__(self) -> int:
        return len(self.image)

    def batch(self, indices: torch.Tensor, device: torch.device) -> Batch:
        """Return the images of the given indices on the device."""
        rows = draws.sent(indices, self.image.device)
        return {"image": draws.sent(self.image[rows], device), "brain": draws.sent(self.brain[rows], device)}

    def draw(self, count: int, device: torch.device, *coordinates: int | str) -> Batch:
        """Return random images that depend only on the coordinates."""
        return self.batch(torch.randint(len(self), (count,), generator=torch_generator(*coordinates)), device)

    def spread(self, count: int) -> torch.Tensor:
        """Return the indices of at most `count` images, evenly spread over subjects and slices."""
        return torch.from_numpy(np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(np.int64)))


def read_images(path: str | Path, device: torch.device, kind: str = "slices", part: Part | None = None) -> Images:
    """Read the healthy subjects of a pack; when training on a GPU, keep the images there if they fit.

    Args:
        path: a pack.
        device: device to train on.
        kind: "slices" that contain brain, or whole "volumes".
        part: of the validation subjects (`madad.core.validation_parts`); None for all subjects.

    Raises:
        UserError: the pack cannot be read.
    """
    with Pack(path) as pack:
        healthy = pack.healthy()
        if part:
            wanted = chosen_for(part, [pack.subjects[index] for index in healthy])
            healthy = [index for index in healthy if pack.subjects[index] in wanted]
        grid = pack.shape if kind == "volumes" else pack.shape[1:]
        images, brains = [np.zeros((0, *grid), np.float32)], [np.zeros((0, *grid), bool)]
        for index in healthy:
            image, brain = seen(pack.image(index)), pack.brain(index)
            inside = brain.any(axis=(1, 2))
            images.append(image[None] if kind == "volumes" else image[inside])
            brains.append(brain[None] if kind == "volumes" else brain[inside])
        content = content_hash([pack.content, [pack.names[index] for index in healthy]])
        image, brain = torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(brains))
        memory = _memory_for(image.nbytes + brain.nbytes, device)
        return Images(
            image=image.unsqueeze(1).to(memory),
            brain=brain.unsqueeze(1).to(memory),
            subjects=len(healthy),
            volume_shape=pack.shape,
            modality=pack.modality,
            content=content,
        )


def check_depth(images: Images, pack: Path) -> None:
    """Refuse single slices for a network of volumes.

    Raises:
        UserError: the volumes of the pack are single slices.
    """
    if images.image.ndim == 5 and images.volume_shape[0] == 1:
        raise UserError(
            f"{pack}: holds single slices, and the method works on volumes; leave it out of `methods`, or set its "
            "spatial_dims to 2"
        )


def _memory_for(size: int, device: torch.device) -> torch.device:
    if device.type != "cuda":
        return torch.device("cpu")
    free, _ = torch.cuda.mem_get_info(device)
    return device if size <= RESIDENT_SHARE * free else torch.device("cpu")
