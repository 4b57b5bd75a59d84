"""What the parts promise each other: the batch, the method and the shapes of their tensors.

Axes: B batch, C channel (one a modality), S slice (inferior to superior), H row (posterior to anterior),
W column (left to right). A volume in memory is the RAS+ array (I, J, K) transposed to (S, H, W) = (K, J, I).
Intensities are in [0, 1] inside the brain and exactly 0 outside.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NotRequired, Protocol, TypedDict

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Batch(TypedDict):
    """Training data. Slices for 2D methods, (B, C, S, H, W) volumes for 3D ones."""

    image: Tensor  # (B, C, H, W) float32
    brain: Tensor  # (B, 1, H, W) bool
    # Only for methods that learn from pairs; `image` then has a synthetic lesion.
    healthy: NotRequired[Tensor]  # (B, C, H, W) float32
    lesion: NotRequired[Tensor]  # (B, 1, H, W) bool
    map: NotRequired[Tensor]  # (B, 1, H, W) float32, how much of the lesion is where


class Method(Protocol):
    """An anomaly detector: an `nn.Module` with three verbs.

    It never opens a file, never picks a threshold and never sees a lesion mask unless its track says so.
    Its constructor takes the hyper-parameters of its card as keyword-only arguments without defaults.
    All randomness comes from the CPU generator that is passed in. Trained parts that its card `requires` arrive as frozen
    modules under the names of their roles; a part that is kept as a submodule goes into the method's own model file.

    Attributes:
        hyperparameters: what it was built with, set by `madad.methods.registry.build`.
        trained_with: those of them that its weights depend on, set there too.
    """

    hyperparameters: dict[str, object]
    trained_with: dict[str, object]

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Scalars to log; the one to minimise is called `loss`."""
        ...

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor | None:
        """Pseudo-healthy volume (S, C, H, W) of a volume (S, C, H, W), or None when the method makes none.

        A method that draws several gives (N, S, C, H, W); their mean is what is stored.
        """
        ...

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Map (S, H, W), larger where more abnormal, 0 outside the brain mask (S, H, W) bool.

        `reconstruction` is what `reconstruct` returned for this volume, so that nothing is computed twice.
        """
        ...


class Fitted(Method, Protocol):
    """A method that learns at one go instead of by steps of an optimiser; its card has the capability `fits`.

    What it learns are buffers, which it registers empty and sizes by the data: they go into the model file and come back with
    the size they had. Its `training_loss` is not used.
    """

    def fit(self, data: Iterable[Batch], generator: torch.Generator) -> None:
        """Learn from all healthy training images, one a batch, in the order of the pack and without gradients.

        `data` can be gone through several times. The card's `training_data` says whether they are slices or volumes.
        """
        ...


class Encoding(Method, Protocol):
    """A method whose codes others may ask for; its card has the capability `encodes`."""

    def encode(self, volume: Tensor) -> Tensor:
        """Codes of a volume (S, C, H, W) as vectors: (S, K), one a slice, or (1, K) where the whole volume has one."""
        ...


class Autoencoder(Protocol):
    """What latent methods may ask of the part in their role `autoencoder`.

    Images (B, 1, H, W), or (B, 1, S, H, W) where `spatial_dims` is 3, have intensities in [0, 1] and are 0 outside the brain.
    Latents (B, C, h, w) or (B, C, s, h, w) are scaled: their standard deviation in healthy brains is about 1.

    Attributes:
        spatial_dims: 2 or 3.
        downsampling: voxels a side of the cell that a latent stands for; every side of an image must be a multiple of it.
        latent_channels: C.
    """

    spatial_dims: int
    downsampling: int
    latent_channels: int

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the scaled latents. UserError if the autoencoder is of no use."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Images of scaled latents, in [0, 1] up to the network's error."""
        ...
