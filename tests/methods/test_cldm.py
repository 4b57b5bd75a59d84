"""cLDM: the latents with the lesion stand beside the noisy ones, in training and at test."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.cldm import CLDM
from tests.methods.latent_stand_ins import Cells, Oracle, Spy, pair

TINY = {**cards.tiny("cldm")["parameters"], "channel_multipliers": [1, 2]}


def build(autoencoder: Cells | None = None, **changes: object) -> CLDM:
    torch.manual_seed(0)
    return CLDM(autoencoder=autoencoder or Cells(), **{**TINY, **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_published_number_of_parameters() -> None:
    sizes = {**cards.resolve("cldm", {}, {}, None)["parameters"], "spatial_dims": 3}
    with torch.device("meta"):
        method = CLDM(autoencoder=Cells(3, 8), **sizes)
    assert sum(weight.numel() for weight in method.parameters()) == 46_650_502  # 46.65 M


def test_lesion_stands_beside_the_noisy_healthy_latents() -> None:
    method, batch = build(), pair(2, 1, 16, 16)
    method.unet = spy = Spy()
    losses = method.training_loss(batch, generator())
    z_0, z_p = (Cells().encode(batch[key])[0] for key in ("healthy", "image"))
    seen, t, condition = spy.seen[0]
    alpha_bar = torch.tensor(method.alphas_cumprod)[t].float().view(-1, 1, 1, 1)
    noise = (seen[:, :3] - alpha_bar.sqrt() * z_0) / (1 - alpha_bar).sqrt()
    assert torch.equal(seen[:, 3:], z_p) and condition is None
    assert losses["error"].item() == pytest.approx(noise.square().mean().item(), rel=1e-3)


def test_test_image_stands_beside_every_step() -> None:
    method, volume = build(sampling_steps=5, slices_per_pass=2), pair(3, 1, 16, 16)["image"]
    method.unet = Spy()
    method.reconstruct(volume, generator())
    assert [t.tolist() for _, t, _ in method.unet.seen][:2] == [[249, 249], [249]]
    beside = [torch.cat([one[:, 3:], other[:, 3:]]) for (one, *_), (other, *_) in zip(*[iter(method.unet.seen)] * 2, strict=True)]
    assert len(beside) == 5 and all(torch.equal(z, Cells().encode(volume)[0]) for z in beside)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_reconstruction_is_what_the_network_walks_back_to(spatial_dims: int) -> None:
    method, batch = build(Cells(spatial_dims), spatial_dims=spatial_dims), pair(8, 1, 16, 16)
    z_0 = method.latents.encode_volume(batch["healthy"])
    method.unet = Oracle(z_0, method.alphas_cumprod)
    assert torch.allclose(method.reconstruct(batch["image"], generator()), method.latents.decode_volume(z_0, 8), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"norm_groups": 7}, "norm_groups"),
        ({"test_timestep": 1001}, r"cldm\.parameters\.test_timestep"),
        ({"sampling_steps": 251}, "251"),
    ],
)
def test_parameters_that_do_not_go_together(changes: dict, match: str) -> None:
    with pytest.raises(UserError, match=match):
        build(**changes)
