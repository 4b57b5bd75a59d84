"""The KL autoencoder of latent diffusion models in 2D and 3D, and the discriminator that sharpens it.

Source: Rombach et al. 2022 (arXiv 2112.10752), section 3.1 and supplement G; for brain MRI Pinaya et al. 2022
(arXiv 2209.07162). The networks are MONAI's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.losses import PatchAdversarialLoss
from monai.networks.nets.autoencoderkl import AEKLResBlock, AutoencoderKL
from monai.networks.nets.patchgan_discriminator import PatchDiscriminator
from torch import Tensor, nn
from torch.func import functional_call

from madad.models.networks.blocks import check_groups
from madad.models.networks.unet import SelfAttention

NORM_EPSILON = 1e-6


def autoencoder(
    *,
    spatial_dims: int,
    base_channels: int,
    channel_multipliers: Sequence[int],
    blocks_per_level: int,
    latent_channels: int,
    norm_groups: int,
    middle_attention: bool,
) -> AutoencoderKL:
    """Build encoder and decoder: `encode` gives mean and standard deviation of the latents, `decode` the images.

    Args:
        spatial_dims: 2 or 3.
        base_channels: channels at full resolution.
        channel_multipliers: channels of each level relative to the base; each further level halves the resolution.
        blocks_per_level: residual blocks per level, down and up.
        latent_channels: channels of the latents.
        norm_groups: groups of the group norm; must divide every number of channels.
        middle_attention: two residual blocks with self-attention between them at the lowest resolution.

    Raises:
        UserError: the groups do not divide the channels.
    """
    check_groups(norm_groups, base_channels, "base_channels")
    channels = [base_channels * multiplier for multiplier in channel_multipliers]
    network = AutoencoderKL(
        spatial_dims=spatial_dims,
        channels=channels,
        num_res_blocks=[blocks_per_level] * len(channel_multipliers),
        attention_levels=[False] * len(channel_multipliers),
        latent_channels=latent_channels,
        norm_num_groups=norm_groups,
        norm_eps=NORM_EPSILON,
        with_encoder_nonlocal_attn=False,
        with_decoder_nonlocal_attn=False,
    )
    if middle_attention:
        # Ours, because MONAI's needs a further package. Before the last norm and convolution, and after the first convolution.
        blocks = _blocks(network.encoder)
        blocks.insert(len(blocks) - 2, _middle(spatial_dims, channels[-1], norm_groups))
        _blocks(network.decoder).insert(1, _middle(spatial_dims, channels[-1], norm_groups))
    return network


class Discriminator(nn.Module):
    """A PatchGAN that distinguishes images from reconstructions by patch; Isola et al. 2017 (arXiv 1611.07004), section 3.2.2.

    Args:
        spatial_dims: 2 or 3.
        channels: of the first layer; doubled by every further one.
        layers: beyond the first; each but the last halves the resolution once more.
    """

    def __init__(self, *, spatial_dims: int, channels: int, layers: int) -> None:
        super().__init__()
        self.network = PatchDiscriminator(spatial_dims=spatial_dims, channels=channels, in_channels=1, num_layers_d=layers)
        self.criterion = PatchAdversarialLoss(criterion="least_squares")

    def losses(self, images: Tensor, reconstructions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the least-squares losses (Mao et al. 2017, arXiv 1611.04076, eq. 2) of the two players.

        Their gradients are separate: the first loss reaches the reconstructions and not the discriminator, the second the
        discriminator and not the reconstructions, so that one backward pass of their sum trains both players.

        Returns:
            the adversarial loss of the autoencoder and the loss of the discriminator.
        """
        fixed = {name: weight.detach() for name, weight in self.network.named_parameters()}
        deceiving = self.criterion(
            functional_call(self.network, fixed, (reconstructions,))[-1], target_is_real=True, for_discriminator=False
        )
        on_real = self.criterion(self.network(images)[-1], target_is_real=True, for_discriminator=True)
        on_fake = self.criterion(self.network(reconstructions.detach())[-1], target_is_real=False, for_discriminator=True)
        return deceiving, (on_real + on_fake) / 2


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


def _middle(spatial_dims: int, channels: int, norm_groups: int) -> nn.Sequential:
    """Build residual block, one-headed self-attention, residual block."""
    first, last = (AEKLResBlock(spatial_dims, channels, norm_groups, NORM_EPSILON, channels) for _ in range(2))
    return nn.Sequential(first, SelfAttention(channels, norm_groups, channels, NORM_EPSILON), last)
