"""The KL autoencoder's networks: sizes of published ones, shapes in 2D and 3D, and two players whose gradients do not meet."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from madad.core.errors import UserError
from madad.models.networks.autoencoder import Discriminator, autoencoder, kl_divergence, last_layer
from madad.models.networks.unet import SelfAttention

SMALL = dict(
    spatial_dims=2,
    base_channels=8,
    channel_multipliers=[1, 2, 2],
    blocks_per_level=1,
    latent_channels=3,
    norm_groups=4,
    middle_attention=True,
)


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def discriminator(spatial_dims: int = 2, loss: str = "least_squares") -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(spatial_dims=spatial_dims, channels=4, layers=2, loss=loss)


def gradients(network: nn.Module) -> list[bool]:
    return [weight.grad is not None and bool(weight.grad.any()) for weight in network.parameters()]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # the 3D network of Lawry Aguila et al. 2025, 13.77 M
        (dict(spatial_dims=3, base_channels=64, channel_multipliers=[1, 2, 2, 2], middle_attention=False), 13_766_248),
        # that of MAD-AD, 34.16 M in the encoder and 49.49 M in the decoder
        (dict(base_channels=128, channel_multipliers=[1, 2, 4, 4], latent_channels=4, layout="rombach"), 83_649_253),
        # the CPU-sized one of 2.31 M
        (dict(base_channels=32, channel_multipliers=[1, 2, 4], blocks_per_level=1, latent_channels=4, norm_groups=8), 2_307_873),
    ],
)
def test_number_of_parameters(options: dict, expected: int) -> None:
    with torch.device("meta"):
        assert parameters(autoencoder(**{**SMALL, "blocks_per_level": 2, "norm_groups": 32, **options})) == expected


@pytest.mark.parametrize("layout", ["rombach", "monai"])
@pytest.mark.parametrize("middle_attention", [True, False])
@pytest.mark.parametrize("sides", [(16, 24), (8, 16, 12)])
def test_shapes_there_and_back(sides: tuple[int, ...], middle_attention: bool, layout: str) -> None:
    network = autoencoder(**{**SMALL, "spatial_dims": len(sides), "middle_attention": middle_attention, "layout": layout})
    mean, sigma = network.encode(torch.rand(2, 1, *sides))
    assert mean.shape == sigma.shape == (2, 3, *(side // 4 for side in sides)) and (sigma > 0).all()
    assert network.decode(mean).shape == (2, 1, *sides)


@pytest.mark.parametrize("layout", ["rombach", "monai"])
def test_attention_is_one_head_in_the_middle_of_both(layout: str) -> None:
    network, seen = autoencoder(**SMALL, layout=layout), []
    for module in network.modules():
        if isinstance(module, SelfAttention):
            module.register_forward_pre_hook(lambda module, inputs: seen.append((module.head_channels, *inputs[0].shape)))
    network.decode(network.encode(torch.rand(2, 1, 16, 24))[0])
    assert seen == [(16, 2, 16, 4, 6)] * 2


def test_attention_of_the_published_layout_does_not_start_as_an_identity() -> None:
    for layout, changes in (("rombach", True), ("monai", False)):
        network = autoencoder(**SMALL, layout=layout)
        attention = next(module for module in network.modules() if isinstance(module, SelfAttention))
        features = torch.rand(1, 16, 4, 4)
        assert torch.equal(attention(features), features) != changes


@pytest.mark.parametrize("layout", ["rombach", "monai"])
def test_every_norm_has_the_published_epsilon(layout: str) -> None:
    norms = [module.eps for module in autoencoder(**SMALL, layout=layout).modules() if isinstance(module, nn.GroupNorm)]
    assert len(norms) > 10 and set(norms) == {1e-6}


def test_last_layer_is_what_the_image_is_made_of() -> None:
    for layout in ("rombach", "monai"):
        network = autoencoder(**SMALL, layout=layout)
        with torch.no_grad():
            last_layer(network).zero_()
            image = network.decode(torch.rand(1, 3, 4, 4))
        assert last_layer(network).shape == (1, 8, 3, 3) and image.unique().numel() == 1


def test_groups_that_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(UserError, match="norm_groups: 3 does not divide base_channels = 8"):
        autoencoder(**{**SMALL, "norm_groups": 3})


def test_divergence_is_that_of_torch() -> None:
    mean, sigma = torch.randn(2, 3, 4, 4), torch.rand(2, 3, 4, 4) + 0.1
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, sigma), torch.distributions.Normal(0.0, 1.0)
    ).sum(dim=(1, 2, 3))
    assert kl_divergence(mean, sigma).item() == pytest.approx(expected.mean().item(), rel=1e-5)
    assert kl_divergence(torch.zeros(2, 3), torch.ones(2, 3)).item() == 0
    assert math.isfinite(kl_divergence(mean, torch.zeros_like(sigma)).item())


def test_losses_of_the_players_by_name() -> None:
    for loss, expected in (("least_squares", (0.25, (1 + 0.25) / 2)), ("hinge", (-0.5, (0 + 1.5) / 2))):
        network = discriminator(loss=loss)
        network.network.forward = lambda images: [images.mean() * torch.ones(1, 1, 2, 2)]
        deceiving, deceived = network.losses(torch.full((1, 1, 4, 4), 2.0), torch.full((1, 1, 4, 4), 0.5))
        # answers 2 to the images and 0.5 to the reconstructions
        assert (deceiving.item(), deceived.item()) == pytest.approx(expected)


@pytest.mark.parametrize("loss", ["least_squares", "hinge"])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_gradients_of_the_two_players_do_not_meet(spatial_dims: int, loss: str) -> None:
    network, sides = discriminator(spatial_dims, loss), (16,) * spatial_dims
    images, reconstructions = torch.rand(2, 1, *sides), torch.rand(2, 1, *sides, requires_grad=True)
    deceiving, deceived = network.losses(images, reconstructions)
    deceiving.backward()
    assert reconstructions.grad.any() and not any(gradients(network))
    reconstructions.grad = None
    deceived.backward()
    # Where no answer is beyond its margin, the last offset cannot help a hinge: one answer would rise and the other fall.
    assert reconstructions.grad is None and all(gradients(network)[: -1 if loss == "hinge" else None])


def test_the_players_pull_in_opposite_directions() -> None:
    network = discriminator()
    images = torch.rand(4, 1, 16, 16)
    reconstructions = images.round()  # other in texture
    optimiser, before = torch.optim.Adam(network.parameters(), lr=1e-2), network.losses(images, reconstructions)
    for _ in range(20):
        optimiser.zero_grad()
        network.losses(images, reconstructions)[1].backward()
        optimiser.step()
    after = network.losses(images, reconstructions)
    assert after[1] < 0.5 * before[1] and after[0] > before[0]
