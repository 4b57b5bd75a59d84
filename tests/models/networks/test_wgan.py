"""The networks of a Wasserstein GAN, and its critic's loss by hand."""

from __future__ import annotations

import pytest
import torch

from madad.models.networks.wgan import Generator, Reader, critic_loss, frozen


class Linear(torch.nn.Module):
    """A critic whose gradient is the same everywhere."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((1, 1, 4, 4), weight))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images * self.weight).flatten(1).sum(1, keepdim=True)


@pytest.mark.parametrize(("weight", "penalty"), [(0.25, 0.0), (0.5, 1.0), (0.0, 1.0)])
def test_loss_of_a_linear_critic(weight: float, penalty: float) -> None:
    """16 weights w have the norm 4 w; real images of ones and fake ones of zeros are 16 w apart."""
    critic, real, fake = Linear(weight), torch.ones(3, 1, 4, 4), torch.zeros(3, 1, 4, 4)
    losses = critic_loss(critic, real, fake, torch.tensor([0.0, 0.5, 1.0]), penalty_weight=10.0)
    assert losses["distance"].item() == pytest.approx(16 * weight) and losses["penalty"].item() == pytest.approx(penalty)
    assert losses["loss"].item() == pytest.approx(10 * penalty - 16 * weight)


def test_penalty_pulls_the_gradient_to_one() -> None:
    """d/dw of 10 (4 w - 1)^2 - 16 w, spread over 16 weights, by double backward."""
    critic, real, fake = Linear(0.5), torch.ones(3, 1, 4, 4), torch.zeros(3, 1, 4, 4)
    critic_loss(critic, real, fake, torch.rand(3), penalty_weight=10.0)["loss"].backward()
    assert critic.weight.grad.sum().item() == pytest.approx(10 * 2 * (4 * 0.5 - 1) * 4 - 16)


def test_penalty_is_taken_between_the_images() -> None:
    seen = []

    def critic(images: torch.Tensor) -> torch.Tensor:
        seen.append(images.detach())
        return images.flatten(1).square().sum(1, keepdim=True)

    critic_loss(critic, torch.ones(2, 1, 2, 2), torch.zeros(2, 1, 2, 2), torch.tensor([0.25, 1.0]), penalty_weight=1.0)
    assert seen[-1].flatten(1).tolist() == [[0.25] * 4, [1.0] * 4]


def test_frozen_network_lets_gradients_through_and_keeps_none() -> None:
    network, x = torch.nn.Linear(2, 1), torch.ones(1, 2, requires_grad=True)
    frozen(network)(x).sum().backward()
    assert torch.equal(x.grad, network.weight.detach()) and network.weight.grad is None


@pytest.mark.parametrize("size", [(16, 16), (13, 10), (64, 48)])
def test_images_of_any_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    images = Generator(channels=[4, 8], latent_size=5)(torch.randn(3, 5), size)
    assert images.shape == (3, 1, *size) and images.min() > 0 and images.max() < 1
    assert Reader(channels=[4, 8], outputs=7)(images).shape == (3, 7)


def test_images_of_a_batch_do_not_meet() -> None:
    torch.manual_seed(0)
    reader, images = Reader(channels=[4, 8], outputs=2).train(), torch.rand(3, 1, 16, 16)
    assert torch.allclose(reader(images), torch.cat([reader(image[None]) for image in images]), atol=1e-5)
