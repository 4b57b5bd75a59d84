"""LDM: no condition anywhere, and the walk back from the image's own latents."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.ldm import LDM
from tests.methods.latent_stand_ins import Cells, Oracle, Spy, pair

TINY = {**cards.tiny("ldm")["parameters"], "channel_multipliers": [1, 2]}


def build(autoencoder: Cells | None = None, **changes: object) -> LDM:
    torch.manual_seed(0)
    return LDM(autoencoder=autoencoder or Cells(), **{**TINY, **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_published_number_of_parameters() -> None:
    sizes = {**cards.resolve("ldm", {}, {}, None)["parameters"], "spatial_dims": 3}
    with torch.device("meta"):
        method = LDM(autoencoder=Cells(3, 8), **sizes)
    assert sum(weight.numel() for weight in method.parameters()) == 46_640_134


def test_nothing_but_noisy_healthy_latents_is_seen() -> None:
    method, image = build(), pair(2, 1, 16, 16)["healthy"]
    method.unet = Spy()
    losses = method.training_loss({"image": image}, generator())  # neither brain nor lesion is asked for
    (z_t, t, condition), z_0 = method.unet.seen[0], Cells().encode(image)[0]
    alpha_bar = torch.tensor(method.alphas_cumprod)[t].float().view(-1, 1, 1, 1)
    noise = (z_t - alpha_bar.sqrt() * z_0) / (1 - alpha_bar).sqrt()
    assert condition is None
    assert losses["error"].item() == pytest.approx(noise.square().mean().item(), rel=1e-3)


def test_training_draws_many_levels() -> None:
    method = build()
    method.unet = Spy()
    method.training_loss({"image": torch.rand(64, 1, 8, 8)}, generator())
    levels = method.unet.seen[0][1]
    assert levels.min() < 100 and levels.max() > 900 and len(set(levels.tolist())) > 50


def test_walk_begins_at_level_250_of_the_image_itself() -> None:
    method, volume = build(), pair(3, 1, 16, 16)["image"]
    method.unet = Spy()
    method.reconstruct(volume, generator())
    z_t, t, _ = method.unet.seen[0]
    assert t.tolist() == [249] * 3
    assert (z_t - 0.524**0.5 * Cells().encode(volume)[0]).std().item() == pytest.approx((1 - 0.524) ** 0.5, rel=0.1)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_reconstruction_is_what_the_network_walks_back_to(spatial_dims: int) -> None:
    method, volume = build(Cells(spatial_dims), spatial_dims=spatial_dims), pair(8, 1, 16, 16)["healthy"]
    z_0 = method.latents.encode_volume(volume)
    method.unet = Oracle(z_0, method.alphas_cumprod)
    other = pair(8, 1, 16, 16)["image"]
    assert torch.allclose(method.reconstruct(other, generator()), method.latents.decode_volume(z_0, 8), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"norm_groups": 7}, "norm_groups"),
        ({"test_timestep": 1001}, r"ldm\.parameters\.test_timestep"),
        ({"sampling_steps": 251}, "251"),
    ],
)
def test_parameters_that_do_not_go_together(changes: dict, match: str) -> None:
    with pytest.raises(UserError, match=match):
        build(**changes)
