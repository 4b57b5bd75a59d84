"""Dif-fuse: labels, the region that may change, and what stays as it is."""

from __future__ import annotations

import math

import pytest
import torch

from madad.configuration import cards
from madad.methods.dif_fuse import DifFuse
from tests.methods.latent_stand_ins import pair


def build(**changes: object) -> DifFuse:
    torch.manual_seed(0)
    return DifFuse(**{**cards.tiny("dif_fuse")["parameters"], **changes}).eval()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Linear(torch.nn.Module):
    """A classifier whose answer depends on one square of the image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[..., 20:24, 20:24].sum((2, 3))


def test_loss_of_an_untrained_diffusion_model_and_a_known_classifier() -> None:
    method, batch = build(), pair(4, 1, 32, 32)
    batch["lesion"][:2] = False
    method.classifier = lambda_module(torch.tensor([[-3.0], [-3.0], [2.0], [2.0]]))
    losses = method.training_loss(batch, generator())
    expected = (math.log(1 + math.exp(-3)) + math.log(1 + math.exp(-2))) / 2
    assert losses["label"].item() == pytest.approx(expected, rel=1e-5)
    assert losses["noise"].item() == pytest.approx(1, abs=0.1)  # the U-Net begins at 0, the noise has variance 1
    assert losses["loss"].item() == pytest.approx(losses["label"].item() + losses["noise"].item())


def lambda_module(answer: torch.Tensor) -> torch.nn.Module:
    class Fixed(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return answer

    return Fixed()


def test_diffusion_model_sees_no_lesion() -> None:
    method, batch = build(), pair(4, 1, 32, 32)
    torch.nn.init.normal_(method.unet.head[-1].weight)
    other = {**batch, "image": torch.rand_like(batch["image"])}
    first, second = (method.training_loss(data, generator()) for data in (batch, other))
    assert first["noise"] == second["noise"] and first["label"] != second["label"]


def test_region_is_where_the_classifier_looks() -> None:
    method, image = build(salient_share=0.05), torch.ones(2, 1, 32, 32)
    method.classifier = Linear()
    assert torch.equal(method.saliency(image).nonzero().amin(0)[2:], torch.tensor([20, 20]))
    region = method.region(image)
    rows = region[0, 0].nonzero()
    assert region[:, :, 18:26, 18:26].all() and (rows.amin(0) >= 16).all() and (rows.amax(0) <= 27).all()


def test_region_is_in_the_brain_and_empty_without_one() -> None:
    method, image = build(), torch.zeros(2, 1, 32, 32)
    image[0, :, 8:24, 8:24] = torch.rand(16, 16, generator=generator()) + 0.1
    region = method.region(image)
    assert region[0].any() and not region[image == 0].any() and not region[1].any()


def test_saliency_needs_no_gradients_around_it() -> None:
    method = build()
    with torch.inference_mode():
        image = torch.rand(1, 1, 32, 32)
        saliency = method.saliency(image)
    assert saliency.shape == image.shape and saliency.any() and not saliency.requires_grad


def test_reconstruction_is_the_image_outside_the_region() -> None:
    method, volume = build(), pair(3, 1, 32, 32)["image"]
    healthy, region = method.reconstruct(volume, generator()), method.region(volume)
    assert torch.equal(healthy[~region], volume[~region]) and (healthy[region] != volume[region]).all()
    assert not torch.equal(method.reconstruct(volume, generator(1))[region], healthy[region])


def test_levels_of_the_chain() -> None:
    assert build(sampling_steps=5, test_timestep=101).timesteps == [0, 25, 50, 75, 100]
    assert build(sampling_steps=0, test_timestep=4).timesteps == [0, 1, 2, 3]
