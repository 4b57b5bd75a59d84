"""The KL autoencoder of latent diffusion models in 2D and 3D, and the discriminator that sharpens it.

Source: Rombach et al. 2022 (arXiv 2112.10752), section 3.1 and supplement G; for brain MRI Pinaya et al. 2022
(arXiv 2209.07162). The layers are MONAI's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.losses import PatchAdversarialLoss
from monai.networks.nets.autoencoderkl import AEKLResBlock, AutoencoderKL, Decoder, Encoder
from monai.networks.nets.patchgan_discriminator import PatchDiscriminator
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from madad.models.networks.blocks import CONVOLUTIONS, check_groups, zero
from madad.models.networks.unet import SelfAttention

NORM_EPSILON = 1e-6
LOG_VARIANCES = (-30.0, 20.0)


def autoencoder(
    *,
    spatial_dims: int,
    base_channels: int,
    channel_multipliers: Sequence[int],
    blocks_per_level: int,
    latent_channels: int,
    norm_groups: int,
    middle_attention: bool,
    layout: str = "monai",
) -> AutoencoderKL | RombachAutoencoder:
    """Build encoder and decoder: `encode` gives mean and standard deviation of the latents, `decode` the images.

    Args:
        spatial_dims: 2 or 3.
        base_channels: channels at full resolution.
        channel_multipliers: channels of each level relative to the base; each further level halves the resolution.
        blocks_per_level: residual blocks per level of the encoder.
        latent_channels: channels of the latents.
        norm_groups: groups of the group norm; must divide every number of channels.
        middle_attention: two residual blocks with self-attention between them at the lowest resolution.
        layout: "rombach" for that of Rombach et al. 2022, "monai" for that of MONAI, see `RombachAutoencoder`.

    Raises:
        UserError: the groups do not divide the channels.
    """
    check_groups(norm_groups, base_channels, "base_channels")
    sizes: dict[str, Any] = {
        "spatial_dims": spatial_dims,
        "channels": [base_channels * multiplier for multiplier in channel_multipliers],
        "attention_levels": [False] * len(channel_multipliers),
        "norm_num_groups": norm_groups,
        "norm_eps": NORM_EPSILON,
    }
    if layout == "rombach":
        return RombachAutoencoder(sizes, blocks_per_level, latent_channels, middle_attention)
    network = AutoencoderKL(
        **sizes,
        num_res_blocks=[blocks_per_level] * len(channel_multipliers),
        latent_channels=latent_channels,
        with_encoder_nonlocal_attn=False,
        with_decoder_nonlocal_attn=False,
    )
    if middle_attention:
        for attention in _insert_middle(network.encoder, network.decoder, sizes):
            zero(attention.out)
    return network


class RombachAutoencoder(nn.Module):
    """Encoder and decoder as Rombach et al. 2022 released them and MAD-AD (arXiv 2502.16943) uses them.

    Unlike MONAI's, the decoder has a residual block more at every level, a SiLU stands before the last convolution of both,
    and mean and log variance come from twice as many features as there are latents.

    Args:
        sizes: what MONAI's encoder and decoder share.
        blocks_per_level: residual blocks per level of the encoder.
        latent_channels: channels of the latents.
        middle_attention: two residual blocks with self-attention between them at the lowest resolution.
    """

    def __init__(self, sizes: dict[str, Any], blocks_per_level: int, latent_channels: int, middle_attention: bool) -> None:
        super().__init__()
        levels, convolution = len(sizes["channels"]), CONVOLUTIONS[sizes["spatial_dims"]]
        self.encoder = Encoder(
            **sizes,
            in_channels=1,
            out_channels=2 * latent_channels,
            num_res_blocks=[blocks_per_level] * levels,
            with_nonlocal_attn=False,
        )
        self.decoder = Decoder(
            **sizes,
            in_channels=latent_channels,
            out_channels=1,
            num_res_blocks=[blocks_per_level + 1] * levels,
            with_nonlocal_attn=False,
        )
        if middle_attention:
            _insert_middle(self.encoder, self.decoder, sizes)
        for part in (self.encoder, self.decoder):
            _blocks(part).insert(len(_blocks(part)) - 1, nn.SiLU())
        self.moments = convolution(2 * latent_channels, 2 * latent_channels, 1)
        self.post_quant_conv = convolution(latent_channels, latent_channels, 1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation (B, L, …) of the latents of images (B, 1, …)."""
        mean, log_variance = self.moments(self.encoder(x)).chunk(2, dim=1)
        return mean, (0.5 * log_variance.clamp(*LOG_VARIANCES)).exp()

    def decode(self, z: Tensor) -> Tensor:
        """Return images (B, 1, …) from latents (B, L, …)."""
        return self.decoder(self.post_quant_conv(z))


def last_layer(network: AutoencoderKL | RombachAutoencoder) -> Tensor:
    """Return the weight of the decoder's last convolution."""
    return list(_blocks(network.decoder).parameters())[-2]


class Discriminator(nn.Module):
    """A PatchGAN that distinguishes images from reconstructions by patch; Isola et al. 2017 (arXiv 1611.07004), section 3.2.2.

    Args:
        spatial_dims: 2 or 3.
        channels: of the first layer; doubled by every further one.
        layers: beyond the first; each but the last halves the resolution once more.
        loss: "least_squares" (Mao et al. 2017, arXiv 1611.04076, eq. 2) or "hinge" (Lim & Ye 2017, arXiv 1705.02894).
    """

    def __init__(self, *, spatial_dims: int, channels: int, layers: int, loss: str = "least_squares") -> None:
        super().__init__()
        self.network = PatchDiscriminator(spatial_dims=spatial_dims, channels=channels, in_channels=1, num_layers_d=layers)
        self.deceive, self.judge = ADVERSARIAL_LOSSES[loss]

    def losses(self, images: Tensor, reconstructions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses of the two players.

        Their gradients are separate: the first loss reaches the reconstructions and not the discriminator, the second the
        discriminator and not the reconstructions, so that one backward pass of their sum trains both players.

        Returns:
            the adversarial loss of the autoencoder and the loss of the discriminator.
        """
        fixed = {name: weight.detach() for name, weight in self.network.named_parameters()}
        deceiving = self.deceive(functional_call(self.network, fixed, (reconstructions,))[-1])
        return deceiving, self.judge(self.network(images)[-1], self.network(reconstructions.detach())[-1])


def _least_squares(answers: Tensor, is_real: bool, for_discriminator: bool) -> Tensor:
    criterion = PatchAdversarialLoss(criterion="least_squares")
    return criterion(answers, target_is_real=is_real, for_discriminator=for_discriminator)


# What the autoencoder minimises in the answers to its reconstructions, and the discriminator in those to both.
ADVERSARIAL_LOSSES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "least_squares": (
        lambda fake: _least_squares(fake, True, False),
        lambda real, fake: (_least_squares(real, True, True) + _least_squares(fake, False, True)) / 2,
    ),
    "hinge": (
        lambda fake: -fake.mean(),
        lambda real, fake: (functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()) / 2,
    ),
}


def kl_divergence(mean: Tensor, sigma: Tensor) -> Tensor:
    """Return KL(N(mean, sigma^2) || N(0, 1)), summed over the latents of an image, mean over the images.

    Source: Kingma & Welling 2014 (arXiv 1312.6114), appendix B.
    """
    variance = sigma.square().clamp(min=torch.finfo(sigma.dtype).tiny)
    terms = mean.square() + variance - variance.log() - 1
    return 0.5 * terms.flatten(1).sum(dim=1).mean()


def _blocks(part: nn.Module) -> nn.ModuleList:
    blocks = part.get_submodule("blocks")
    if not isinstance(blocks, nn.ModuleList):
        raise TypeError(f"MONAI's {type(part).__name__} keeps its blocks in a {type(blocks).__name__}, not in a list")
    return blocks


def _insert_middle(encoder: nn.Module, decoder: nn.Module, sizes: dict[str, Any]) -> list[SelfAttention]:
    """Put residual block, one-headed self-attention and residual block into the middle of both; return the attentions.

    Ours, because MONAI's needs a further package. Before the last norm and convolution, and after the first convolution.
    """
    dims, channels, groups = sizes["spatial_dims"], sizes["channels"][-1], sizes["norm_num_groups"]
    attentions = []
    for part, at in ((encoder, len(_blocks(encoder)) - 2), (decoder, 1)):
        first, last = (AEKLResBlock(dims, channels, groups, NORM_EPSILON, channels) for _ in range(2))
        attentions.append(SelfAttention(channels, groups, channels, NORM_EPSILON))
        attentions[-1].out = nn.Conv1d(channels, channels, 1)  # which SelfAttention starts at zero
        _blocks(part).insert(at, nn.Sequential(first, attentions[-1], last))
    return attentions
