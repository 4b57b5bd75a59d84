"""The autoencoder that latent diffusion models share, trained once per cohort and modality.

Rombach et al. 2022, arXiv 2112.10752; for brain MRI Pinaya et al. 2022, arXiv 2209.07162.

1. The encoder gives mean and standard deviation of every latent; a sample of them is decoded.
2. Loss: error of the reconstruction + KL divergence from the normal law + adversarial loss of a PatchGAN.
3. The scale of the latents, 1 / their standard deviation in the brain, is measured at every validation: diffusion adds noise
   of variance 1, so the scale decides how much signal remains.
4. How well brains are reconstructed is measured with it, and an autoencoder with too large an error refuses to encode.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from madad.core import draws
from madad.core.errors import UserError
from madad.core.interfaces import Batch
from madad.models.diffusion.forward import from_signed, to_signed
from madad.models.networks.autoencoder import Discriminator, autoencoder, kl_divergence, last_layer

LOSSES = {"l1": functional.l1_loss, "l2": functional.mse_loss}
POOL = {2: functional.avg_pool2d, 3: functional.avg_pool3d}
# A latent is of the brain where at least this share of its voxels is.
BRAIN_SHARE = 0.5
# Measurements in training are averages that forget as 0.95^steps, so that the last twenty batches count.
FORGETTING = 0.05


class KLAutoencoder(nn.Module):
    """A `madad.core.interfaces.Autoencoder` and its discriminator, with measurements of their quality.

    Every validation starts a new measurement, so that the published weights carry their own measurements on validation
    images. Without validation data they carry the running average of the training. A training that starts from other weights
    measures anew, so that the latent scale is always that of the saved weights on the run's own images; `steps` goes on.

    Attributes:
        measured: buffers that a training from other weights does not take over.
        steps: training steps seen.
        validated: batches of the validation after them.
        latent_moments: mean and mean square of the unscaled posterior means in the brain.
        errors: mean |x - x'| in the brain, and the same for brains that are flat at their own mean.
    """

    measured = ("validated", "latent_moments", "errors")
    steps: Tensor
    validated: Tensor
    latent_moments: Tensor
    errors: Tensor

    def __init__(
        self,
        *,
        spatial_dims: int,
        base_channels: int,
        channel_multipliers: list[int],
        blocks_per_level: int,
        latent_channels: int,
        norm_groups: int,
        middle_attention: bool,
        layout: str,
        reconstruction_loss: str,
        learnt_variance: bool,
        kl_weight: float,
        adversarial_loss: str,
        adversarial_weight: float,
        adversarial_start: int,
        discriminator_channels: int,
        discriminator_layers: int,
        max_relative_error: float,
    ) -> None:
        super().__init__()
        self.network = autoencoder(
            spatial_dims=spatial_dims,
            base_channels=base_channels,
            channel_multipliers=channel_multipliers,
            blocks_per_level=blocks_per_level,
            latent_channels=latent_channels,
            norm_groups=norm_groups,
            middle_attention=middle_attention,
            layout=layout,
        )
        self.discriminator = None
        if adversarial_weight > 0:
            self.discriminator = Discriminator(
                spatial_dims=spatial_dims, channels=discriminator_channels, layers=discriminator_layers, loss=adversarial_loss
            )
        self.log_variance = nn.Parameter(torch.zeros(())) if learnt_variance else None
        self.balanced = adversarial_loss == "hinge"
        self.spatial_dims = spatial_dims
        self.latent_channels = latent_channels
        self.downsampling = 2 ** (len(channel_multipliers) - 1)
        self.reconstruction_loss = LOSSES[reconstruction_loss]
        self.kl_weight = kl_weight
        self.adversarial_weight = adversarial_weight
        self.adversarial_start = adversarial_start
        self.max_relative_error = max_relative_error
        self.register_buffer("steps", torch.tensor(0))
        self.register_buffer("validated", torch.tensor(0))
        self.register_buffer("latent_moments", torch.tensor([0.0, 1.0]))
        self.register_buffer("errors", torch.tensor([0.0, 1.0]))
        self._accepted = -1

    @property
    def scale(self) -> Tensor:
        """1 / standard deviation of the latents of healthy brains; 1 before training."""
        mean, mean_square = self.latent_moments
        return (mean_square - mean.square()).clamp(min=1e-12).rsqrt()

    @property
    def relative_error(self) -> Tensor:
        """Error of the reconstruction relative to that of a flat brain; 0 before training."""
        return self.errors[0] / self.errors[1].clamp(min=1e-12)

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of images (B, 1, H, W) or (B, 1, S, H, W); Rombach et al. 2022, eq. 25.

        In training both players' losses are in it. In evaluation, where it chooses the model, the adversarial ones are
        left out: they depend on the opponent and do not fall as the images get better.
        """
        x = to_signed(batch["image"])
        mean, sigma = self._posterior(x)
        z = mean + sigma * draws.normal_like(mean, generator)
        reconstruction = self.network.decode(z)
        losses = {"reconstruction": self.reconstruction_loss(reconstruction, x), "kl": kl_divergence(mean, sigma)}
        likelihood = losses["reconstruction"]
        if self.log_variance is not None:
            likelihood = likelihood * (-self.log_variance).exp() + self.log_variance
        loss = likelihood + self.kl_weight * losses["kl"]
        self._measure(x, reconstruction, mean, batch["brain"])
        if self.training and self.discriminator is not None and self.steps > self.adversarial_start:
            deceiving, deceived = self.discriminator.losses(x, reconstruction)
            losses |= {"deceiving": deceiving, "deceived": deceived}
            balance = self._balance(likelihood, deceiving, x[0].numel()) if self.balanced else 1.0
            loss = loss + self.adversarial_weight * (balance * deceiving + deceived)
        return {"loss": loss, **losses}

    def _balance(self, likelihood: Tensor, deceiving: Tensor, voxels: int) -> Tensor:
        """Return how much larger the likelihood's gradient is at the last layer; Esser et al. 2021 (arXiv 2012.09841), eq. 7.

        The released code sums the likelihood over the voxels of an image, here it is their mean.
        """
        weight = last_layer(self.network)
        kept, added = (torch.autograd.grad(loss, weight, retain_graph=True)[0].norm() for loss in (likelihood, deceiving))
        return (voxels * kept / (added + 1e-4)).clamp(max=1e4).detach() / voxels

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the scaled latents; see `madad.core.interfaces.Autoencoder`.

        Raises:
            UserError: the autoencoder was trained and its error is too large, or the images cannot be halved that often.
        """
        self._check_error()
        mean, sigma = self._posterior(to_signed(images))
        return mean * self.scale, sigma * self.scale

    def _check_error(self) -> None:
        """Refuse an autoencoder that has not learned; the error is read once, not at every step of a method on its latents."""
        measured = self.errors._version  # torch counts the changes of a tensor
        if measured == self._accepted:
            return
        if not self.relative_error <= self.max_relative_error:  # nor if it is not a number
            raise UserError(
                f"kl_autoencoder: reconstructs healthy brains with {self.relative_error:.2f} of the error of a flat brain, "
                f"max_relative_error allows {self.max_relative_error:g}: methods on its latents would not see anatomy; train it "
                "longer (training.steps), make it wider (base_channels) or let it halve the resolution less often "
                "(channel_multipliers), all under method_options.kl_autoencoder"
            )
        self._accepted = measured

    def decode(self, latents: Tensor) -> Tensor:
        """Decode scaled latents; see `madad.core.interfaces.Autoencoder`."""
        return from_signed(self.network.decode(latents / self.scale))

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the unscaled latents of images in [-1, 1]."""
        sides = x.shape[2:]
        if len(sides) != self.spatial_dims:
            raise UserError(
                f"kl_autoencoder.parameters.spatial_dims: {self.spatial_dims}, but the images have {len(sides)}; "
                "a method needs an autoencoder of its own dimension"
            )
        if any(side % self.downsampling for side in sides):
            raise UserError(
                f"kl_autoencoder.parameters.channel_multipliers: {' x '.join(map(str, sides))} voxels cannot be halved "
                f"{self.downsampling.bit_length() - 1} times; take fewer levels, or images whose sides are multiples "
                f"of {self.downsampling}"
            )
        mean, sigma = self.network.encode(x)
        return mean.float(), sigma.float()  # also where the networks run in bfloat16

    @torch.no_grad()
    def _measure(self, x: Tensor, reconstruction: Tensor, mean: Tensor, brain: Tensor) -> None:
        """Update the measurements with one batch; images are in [-1, 1]."""
        if self.training:
            self.steps += 1
            self.validated.zero_()
            weight = 1.0 if not self.errors[0] else max(1 / int(self.steps), FORGETTING)  # the first measurement counts whole
        else:
            self.validated += 1
            weight = 1 / int(self.validated)
        inside, x = brain.float(), x.float()
        axes = tuple(range(1, x.ndim))
        flat = (x * inside).sum(axes, keepdim=True) / inside.sum(axes, keepdim=True).clamp(min=1)
        errors = [((x - other).abs() * inside).sum() / inside.sum().clamp(min=1) for other in (reconstruction.float(), flat)]
        self.errors.lerp_(torch.stack(errors), weight)
        cells = POOL[self.spatial_dims](inside, self.downsampling) >= BRAIN_SHARE
        latents = mean[cells.expand_as(mean)]
        if len(latents):
            self.latent_moments.lerp_(torch.stack([latents.mean(), latents.square().mean()]), weight)
