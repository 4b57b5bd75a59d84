"""CondDiff: what guides whom, in training and at test, in 2D and 3D, and sizes that do not go together."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.conddiff import CondDiff
from tests.methods.latent_stand_ins import Cells, Oracle, Spy, pair

TINY = {**cards.tiny("conddiff")["parameters"], "channel_multipliers": [1, 2], "latent_rows": 8}


def build(autoencoder: Cells | None = None, **changes: object) -> CondDiff:
    torch.manual_seed(0)
    return CondDiff(autoencoder=autoencoder or Cells(), **{**TINY, **changes})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_published_number_of_parameters() -> None:
    sizes = {**cards.resolve("conddiff", {}, {}, None)["parameters"], "spatial_dims": 3, "latent_rows": 20}
    with torch.device("meta"):
        method = CondDiff(autoencoder=Cells(3, 8), **sizes)
    assert sum(weight.numel() for weight in method.parameters()) == 54_923_910  # 54.92 M


def test_untrained_network_predicts_no_noise() -> None:
    losses = build().training_loss(pair(64, 1, 16, 16), generator())
    assert losses["error"].item() == pytest.approx(1, abs=0.03)
    assert losses["loss"].item() == pytest.approx((losses["error"] + losses["bound"]).item())


def test_healthy_latents_are_noised_and_those_with_the_lesion_guide() -> None:
    method, batch, guides = build(), pair(2, 1, 16, 16), []
    method.unet, method.encoder = Spy(), torch.nn.Identity()
    method.encoder.register_forward_hook(lambda module, given, answer: guides.append(given[0]))
    method.training_loss(batch, generator())
    z_0, z_p = (Cells().encode(batch[key])[0] for key in ("healthy", "image"))
    z_t, t, condition = method.unet.seen[0]
    alpha_bar = torch.tensor(method.alphas_cumprod)[t].float().view(-1, 1, 1, 1)
    noise = (z_t - alpha_bar.sqrt() * z_0) / (1 - alpha_bar).sqrt()
    assert torch.equal(guides[0], z_p) and condition is guides[0]
    assert noise.std().item() == pytest.approx(1, abs=0.15) and abs(noise.mean()) < 0.15


def test_lesion_guides_only_after_the_first_updates() -> None:
    method, batch = build(), pair(4, 1, 16, 16)
    z_t, t = torch.randn(4, 3, 8, 8), torch.full((4,), 249)

    def answers() -> list[torch.Tensor]:
        return [method.unet(z_t, t, method._condition(Cells().encode(batch[key])[0])) for key in ("healthy", "image")]

    assert torch.equal(*answers()) and not answers()[0].any()
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-2)
    for step in range(3):
        method.training_loss(batch, generator(step))["loss"].backward()
        optimiser.step()
    assert not torch.allclose(*answers())


def test_test_image_is_noised_to_level_250_and_guides_itself() -> None:
    method, volume = build(sampling_steps=5), pair(3, 1, 16, 16)["image"]
    method.unet, method.encoder = Spy(), torch.nn.Identity()
    method.reconstruct(volume, generator())
    assert [t.tolist() for _, t, _ in method.unet.seen] == [[249] * 3, [187] * 3, [124] * 3, [62] * 3, [0] * 3]
    assert all(torch.equal(condition, Cells().encode(volume)[0]) for _, _, condition in method.unet.seen)
    remaining = method.unet.seen[0][0] - 0.524**0.5 * Cells().encode(volume)[0]
    assert remaining.std().item() == pytest.approx((1 - 0.524) ** 0.5, rel=0.1)


def test_every_level_is_walked_through_unless_fewer_steps_are_wanted() -> None:
    assert build(sampling_steps=0).test_chain.timesteps.tolist() == list(range(250))


def test_reconstruction_is_what_the_network_walks_back_to() -> None:
    method, batch = build(), pair(3, 1, 16, 16)
    method.unet = Oracle(Cells().encode(batch["healthy"])[0], method.alphas_cumprod)
    cells = Cells().decode(Cells().encode(batch["healthy"])[0])
    assert torch.allclose(method.reconstruct(batch["image"], generator()), cells, atol=1e-4)


def test_volume_of_any_number_of_slices_in_3d() -> None:
    method = build(Cells(3), spatial_dims=3, latent_rows=6)
    volume = pair(10, 1, 16, 16)["healthy"]  # 12 slices to the network, 6 planes of latents
    healthy = Cells(3).encode(torch.nn.functional.pad(volume.transpose(0, 1)[None], (0, 0, 0, 0, 0, 2)))[0]
    method.unet = Oracle(healthy, method.alphas_cumprod)
    reconstruction = method.reconstruct(volume, generator())
    assert reconstruction.shape == volume.shape
    assert torch.allclose(reconstruction, Cells(3).decode(healthy)[0].transpose(0, 1)[:10], atol=1e-4)


def test_loss_and_map_in_3d() -> None:
    method = build(Cells(3), spatial_dims=3, latent_rows=6)
    loss = method.training_loss(pair(2, 1, 10, 16, 16), generator())["loss"]
    volume, brain = pair(10, 1, 16, 16)["image"], torch.ones(10, 16, 16, dtype=torch.bool)
    moved = volume.roll(1, dims=0)
    assert loss.requires_grad and torch.isfinite(loss)
    assert not method.anomaly_map(volume, moved, brain, generator())[:-1].any()  # a voxel between slices is forgiven
    assert build().anomaly_map(volume, moved, brain, generator()).any()


def test_map_is_empty_outside_the_brain_and_where_nothing_changed() -> None:
    method, volume = build(), pair(3, 1, 16, 16)["image"]
    brain = torch.zeros(3, 16, 16, dtype=torch.bool)
    brain[:, 4:12, 4:12] = True
    assert not method.anomaly_map(volume, volume, brain, generator()).any()
    changed = method.anomaly_map(volume, volume + 0.5, brain, generator())
    assert not changed[~brain].any() and (changed[brain] > 0).all()


def test_same_generator_same_reconstruction() -> None:
    method, volume = build().eval(), pair(3, 1, 16, 16)["image"]
    for weight in method.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    with torch.no_grad():
        first, same, other = (method.reconstruct(volume, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_images_go_through_the_autoencoder_in_portions() -> None:
    autoencoder = Cells()
    build(autoencoder, slices_per_pass=2).reconstruct(pair(5, 1, 16, 16)["image"], generator())
    assert autoencoder.seen == [2, 2, 1]


@pytest.mark.parametrize(("rows", "columns"), [(30, 32), (32, 30)])
def test_sizes_that_cannot_be_halved_are_refused_with_those_that_can(rows: int, columns: int) -> None:
    with pytest.raises(UserError, match=r"conddiff: slices of .* multiples of 4, here 28 or 32"):
        build().reconstruct(torch.zeros(2, 1, rows, columns), generator())


def test_volume_smaller_than_the_reach() -> None:
    method = build(Cells(3, downsampling=4), spatial_dims=3)
    with pytest.raises(UserError, match=r"images of 5 x 32 x 32 voxels are smaller than the network's reach of 8"):
        method.reconstruct(torch.zeros(5, 1, 32, 32), generator())


def test_latents_of_another_size() -> None:
    with pytest.raises(UserError, match=r"conddiff\.parameters\.latent_rows: 8, .* latents of 12 rows .* set it to 12"):
        build().training_loss(pair(2, 1, 24, 16), generator())


def test_autoencoder_of_another_dimension() -> None:
    with pytest.raises(UserError, match=r"conddiff\.parameters\.spatial_dims: 3, .*parts\.autoencoder"):
        build(Cells(2), spatial_dims=3)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"norm_groups": 7}, "norm_groups"),
        ({"encoder_base_channels": 12}, "encoder_base_channels"),
        ({"test_timestep": 1001}, "test_timestep"),
        ({"sampling_steps": 251}, "sampling_steps"),
    ],
)
def test_parameters_that_do_not_go_together(changes: dict, match: str) -> None:
    with pytest.raises(UserError, match=match):
        build(**changes)
