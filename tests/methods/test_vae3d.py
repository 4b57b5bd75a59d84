"""VAE of volumes: its bound in closed form, and volumes of any size but too small ones."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.vae3d import VAE3D
from tests.methods.latent_stand_ins import pair


def build(**changes: object) -> VAE3D:
    torch.manual_seed(0)
    return VAE3D(**{**cards.tiny("vae3d")["parameters"], **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Known(torch.nn.Module):
    """Stands in for the network: a known posterior, and the code's first number as the volume."""

    reach = 1

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((len(x), 2), 3.0), torch.zeros(len(x), 2)

    def decode(self, z: torch.Tensor, size: torch.Size) -> torch.Tensor:
        self.code = z
        return z[:, :1, None, None, None].expand(-1, 1, *size)


def test_bound_in_closed_form() -> None:
    method, image = build(kl_weight=2.0), pair(2, 1, 4, 8, 8)["healthy"]
    method.network = known = Known()
    losses = method.training_loss({"image": image}, generator())
    error = (known.code[:, :1, None, None, None] - image).square().mean()
    assert losses["divergence"].item() == pytest.approx(2 * 0.5 * 3**2 / (4 * 8 * 8))  # two numbers of mean 3 and variance 1
    assert losses["loss"].item() == pytest.approx((error + 2 * losses["divergence"]).item())
    assert (known.code != 3).all()  # a sample


def test_mean_of_the_code_is_decoded_at_test() -> None:
    method = build()
    method.network = Known()
    reconstruction = method.reconstruct(torch.rand(5, 1, 8, 8), generator())
    assert reconstruction.shape == (5, 1, 8, 8) and (reconstruction == 3).all()


@pytest.mark.parametrize("shape", [(4, 1, 32, 32), (5, 1, 30, 17), (13, 1, 16, 20)])
def test_volumes_of_any_size(shape: tuple[int, ...]) -> None:
    assert build().reconstruct(torch.rand(shape), generator()).shape == shape


@pytest.mark.parametrize("shape", [(13, 1, 13, 13), (14, 1, 30, 17)])
def test_volumes_of_any_size_that_unpadded_kernels_cover(shape: tuple[int, ...]) -> None:
    assert build(strides="unpadded").reconstruct(torch.rand(shape), generator()).shape == shape
    with pytest.raises(UserError, match=r"vae3d\.parameters\.channels: images of 12 x 13 x 13 voxels .* reach of 13"):
        build(strides="unpadded").reconstruct(torch.rand(12, 1, 13, 13), generator())


def test_published_strides_leave_seven_cells_of_160_voxels() -> None:
    network = build(strides="unpadded", channels=[8, 8, 8, 8]).network
    assert network.reach == 61
    assert network.decoder.sizes([160, 160, 160])[-1] == [7, 7, 7]
    assert build(channels=[8, 8, 8, 8]).network.decoder.sizes([160, 160, 160])[-1] == [10, 10, 10]


def test_dropout_sets_numbers_of_the_law_to_zero() -> None:
    method = build(dropout=0.5, latent_size=64).train()
    method.network.bottleneck.encode = lambda features: torch.ones(len(features), 128)
    mean, log_variance = method.network.encode(torch.rand(1, 1, 8, 8, 8))
    assert set(torch.cat([mean, log_variance], dim=1).unique().tolist()) == {0.0, 2.0}
    assert not any(isinstance(module, torch.nn.Dropout) and module.p for module in method.network.bottleneck.modules())
    assert {module.negative_slope for module in method.modules() if isinstance(module, torch.nn.LeakyReLU)} == {0.2}


def test_displacement_between_slices_is_forgiven() -> None:
    volume, brain = pair(6, 1, 16, 16)["healthy"], torch.ones(6, 16, 16, dtype=torch.bool)
    assert not build().anomaly_map(volume, volume.roll(1, dims=0), brain, generator())[:-1].any()


def test_volume_smaller_than_the_reach() -> None:
    with pytest.raises(UserError, match=r"vae3d\.parameters\.channels: images of 3 x 32 x 32 voxels .* reach of 4"):
        build().reconstruct(torch.zeros(3, 1, 32, 32), generator())


def test_groups_that_do_not_divide() -> None:
    with pytest.raises(UserError, match="norm_groups: 8 does not divide one of channels = 12"):
        build(channels=[8, 12])
