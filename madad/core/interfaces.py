"""The interfaces between the parts: the batch, the method and the shapes of their tensors.

Axes: B batch, C channel (one per modality), S slice (inferior to superior), H row (posterior to anterior),
W column (left to right). A volume in memory is the RAS+ array (I, J, K) transposed to (S, H, W) = (K, J, I).
Intensities are in [0, 1] inside the brain and exactly 0 outside; packs keep what is above 1 (`madad.core.intensity_scale`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NotRequired, Protocol, TypedDict, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Interface = TypeVar("Interface")


class Batch(TypedDict):
    """Training data. Slices for 2D methods, (B, C, S, H, W) volumes for 3D ones."""

    image: Tensor  # (B, C, H, W) float32
    brain: Tensor  # (B, 1, H, W) bool
    # Only for methods that learn from pairs; `image` then has a synthetic lesion.
    healthy: NotRequired[Tensor]  # (B, C, H, W) float32
    lesion: NotRequired[Tensor]  # (B, 1, H, W) bool
    map: NotRequired[Tensor]  # (B, 1, H, W) float32, share of the lesion in each pixel


class Pair(TypedDict):
    """One batch of pairs with and without a synthetic lesion; 2D (B, C, H, W) or 3D (B, C, S, H, W)."""

    image: Tensor  # with a lesion; equal to `healthy` where there is none
    healthy: Tensor  # the given image
    lesion: Tensor  # (B, 1, …) bool
    map: Tensor  # (B, 1, …) float32, 0 outside the brain


@runtime_checkable
class Trainable(Protocol):
    """A method or a component: an `nn.Module` that the training loop can train.

    Its constructor takes the hyper-parameters of its card as keyword-only arguments without defaults.
    All randomness comes from the CPU generator that is passed in.

    It may have a class attribute `measured`, names of buffers that are measured on the training data and are no weights: a
    training that starts from the weights of another one leaves them behind.

    Attributes:
        hyperparameters: what it was built with, set by `madad.methods.registry.build`.
        trained_with: those hyper-parameters that its weights depend on, set by the same function.
    """

    hyperparameters: dict[str, object]
    trained_with: dict[str, object]

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return scalars to log; the one to minimise is called `loss`."""
        ...


@runtime_checkable
class Method(Trainable, Protocol):
    """An anomaly detector: an `nn.Module` that can be trained, reconstructs a volume and maps its anomalies.

    It never opens a file, never picks a threshold and never sees a lesion mask unless its track allows it.
    Trained parts that its card `requires` arrive as frozen modules under the names of their roles; a part that is kept as a
    submodule is saved in the method's own model file.

    It may have an attribute `observed`, numbers by name of the volume that it reconstructed last, which inference reports by
    group; and a class attribute `unobserved`, by such a name what it means that the number is 0 in every scan.

    A method that draws at random may have `reconstruct_several(volume, generator, count)`, which returns (N, S, C, H, W) from the
    random numbers of as many calls of `reconstruct`, faster than these.

    A method without a network may have a class attribute `whole_scale = True`: its `anomaly_map` then gets intensities above 1.
    """

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor | None:
        """Return the pseudo-healthy volume (S, C, H, W) of a volume (S, C, H, W), or None when the method makes none.

        A method that draws several reconstructions returns (N, S, C, H, W); their mean is stored.
        """
        ...

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return a map (S, H, W), larger where more abnormal, 0 outside the brain mask (S, H, W) bool.

        `reconstruction` is what `reconstruct` returned for this volume, so that nothing is computed twice.
        """
        ...


@runtime_checkable
class Fitted(Trainable, Protocol):
    """A method or a part of one that is fitted in one pass over the data, by no optimiser; its card has the capability `fits`.

    It learns buffers, which it registers empty and sizes by the data. They are saved in the model file and keep their size when
    they are loaded. Its `training_loss` is not used.
    """

    def fit(self, data: Iterable[Batch], generator: torch.Generator) -> None:
        """Learn from all healthy training images, one per batch, in the order of the pack and without gradients.

        `data` can be iterated several times. The card's `training_data` says whether they are slices or volumes.
        """
        ...


class Encoding(Method, Protocol):
    """A method whose latent codes other methods may use; its card has the capability `encodes`."""

    def encode(self, volume: Tensor) -> Tensor:
        """Return the codes of a volume (S, C, H, W) as vectors: (S, K), one per slice, or (1, K) for the whole volume."""
        ...


class Autoencoder(Protocol):
    """What latent methods may use of the part in their role `autoencoder`.

    Images (B, 1, H, W), or (B, 1, S, H, W) where `spatial_dims` is 3, have intensities in [0, 1] and are 0 outside the brain.
    Latents (B, C, h, w) or (B, C, s, h, w) are scaled: their standard deviation in healthy brains is about 1.

    Attributes:
        spatial_dims: 2 or 3.
        downsampling: voxels per latent along each side; every side of an image must be a multiple of it.
        latent_channels: C.
    """

    spatial_dims: int
    downsampling: int
    latent_channels: int

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the scaled latents.

        Raises:
            UserError: the autoencoder has not learned to reconstruct.
        """
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images of scaled latents, in [0, 1] up to the network's error."""
        ...


def conforming(module: object, interface: type[Interface]) -> Interface:
    """Return a module as an object of one of the interfaces above.

    An `nn.Module` can have any attribute, so that the type checker knows of no method; here the module's own are checked.

    Raises:
        TypeError: it lacks an attribute of the interface.
    """
    if not isinstance(module, interface):
        raise TypeError(f"{type(module).__name__} is no {interface.__name__}: it lacks an attribute of that interface")
    return module
