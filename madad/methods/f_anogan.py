"""Fast unsupervised anomaly detection with a generative adversarial network (f-AnoGAN).

Schlegl, Seeböck, Waldstein, Langs & Schmidt-Erfurth 2019, Medical Image Analysis, doi:10.1016/j.media.2019.01.010.

1. First `encoder_start` steps: a Wasserstein GAN with gradient penalty learns to generate healthy slices G(z) from codes
   z ~ N(0, 1); the generator is trained at every `critic_steps` + 1st step, the critic D at the others.
2. Then both are frozen, and an encoder E learns which code makes a slice ("izi_f"):
   mean (x - G(E(x)))^2 + `feature_weight` mean (f(x) - f(G(E(x))))^2, f the features of the critic.
3. Test: x' = G(E(x)), one pass. The generator knows healthy slices alone.
4. Map: |x - x'| in the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core import draws
from madad.core.errors import UserError
from madad.core.interfaces import Batch
from madad.models.diffusion.residuals import residual
from madad.models.networks.tensor_layout import check_reach, in_passes
from madad.models.networks.wgan import Generator, Reader, critic_loss, frozen

# Images and reconstructions are in [0, 1]: no encoder has this error.
HOPELESS = 1.0


class FAnoGAN(nn.Module):
    """Generator, critic and encoder; hyper-parameters as in the card.

    Attributes:
        steps: training steps seen; they alone decide which network is trained, so that a resumed training continues unchanged.
    """

    steps: Tensor

    def __init__(
        self,
        *,
        channels: list[int],
        latent_size: int,
        encoder_start: int,
        critic_steps: int,
        penalty_weight: float,
        feature_weight: float,
        slices_per_pass: int,
    ) -> None:
        super().__init__()
        self.generator = Generator(channels=channels, latent_size=latent_size)
        self.critic = Reader(channels=channels, outputs=1, bias=False)
        self.encoder = Reader(channels=channels, outputs=latent_size)
        self.latent_size = latent_size
        self.encoder_start = encoder_start
        self.critic_steps = critic_steps
        self.penalty_weight = penalty_weight
        self.feature_weight = feature_weight
        self.slices_per_pass = slices_per_pass
        self.register_buffer("steps", torch.tensor(0))

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of the network whose turn it is, on healthy slices (B, 1, H, W).

        In evaluation, where it chooses the model, it is the error of the image, without features, which depend on the critic;
        until the encoder has learnt, it is above that of any trained encoder.
        """
        x = batch["image"]
        check_reach(x, self.critic.reach, "f_anogan.parameters.channels")
        if not self.training:
            error = (self._reconstructed(x) - x).square().mean()
            return {"loss": error if self.steps > self.encoder_start else HOPELESS + error}
        self.steps += 1
        if self.steps > self.encoder_start:
            return self._encoder_loss(x)
        z = draws.like(torch.randn(len(x), self.latent_size, generator=generator), x)
        shares = draws.like(torch.rand(len(x), generator=generator), x)
        if self.steps % (self.critic_steps + 1) == 0:
            return {"loss": -frozen(self.critic)(self.generator(z, x.shape[2:])).mean()}
        with torch.no_grad():
            fake = self.generator(z, x.shape[2:])
        return critic_loss(self.critic, x, fake, shares, self.penalty_weight)

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pseudo-healthy volume (S, 1, H, W) in [0, 1].

        Raises:
            UserError: the training ended before the encoder's turn came.
        """
        if 0 < self.steps <= self.encoder_start:
            raise UserError(
                f"f_anogan: trained for {int(self.steps)} steps, of which the GAN took {self.encoder_start} "
                "(f_anogan.parameters.encoder_start), so that the encoder learnt nothing; raise training.steps and train again"
            )
        return in_passes(self._reconstructed, self.slices_per_pass, volume)

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the residual (S, H, W) in the brain."""
        return residual(volume, reconstruction) * brain

    def _encoder_loss(self, x: Tensor) -> dict[str, Tensor]:
        """Return the loss of step 2 above; generator and critic get no gradient."""
        reconstruction, features = frozen(self.generator)(self.encoder(x), x.shape[2:]), frozen(self.critic.features)
        losses = {
            "image": (reconstruction - x).square().mean(),
            "features": (features(reconstruction) - features(x)).square().mean(),
        }
        return {"loss": losses["image"] + self.feature_weight * losses["features"], **losses}

    def _reconstructed(self, x: Tensor) -> Tensor:
        return self.generator(self.encoder(x), x.shape[2:])
