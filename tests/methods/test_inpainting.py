"""Supervised removal of lesions: the weights of its loss, and the contrasts it is shown."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.inpainting import Inpainting, gradient_error, remap
from tests.methods.latent_stand_ins import pair


def build(**changes: object) -> Inpainting:
    torch.manual_seed(0)
    return Inpainting(**{**cards.tiny("inpainting")["parameters"], "remapped_share": 0.0, **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Same(torch.nn.Module):
    """Stands in for the U-Net: keeps what it is shown and gives it back."""

    reach = 1

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images)
        return images


def test_lesion_weighs_more() -> None:
    method, batch = build(lesion_weight=2.0, gradient_weight=0.0), pair(2, 1, 16, 16)
    method.unet = Same()  # wrong by the healthy intensity in the lesion, right elsewhere
    loss = method.training_loss(batch, generator())["loss"].item()
    assert loss == pytest.approx(3 * (batch["healthy"] * batch["lesion"]).mean().item())


def test_gradients_are_those_of_the_error() -> None:
    error = torch.zeros(1, 1, 3, 4)
    error[0, 0, 1, 2] = 0.5  # four differences to neighbours, 0.5 each
    weight = torch.ones(1, 1, 3, 4)
    expected = 2 * 0.5 / (2 * 4) + 2 * 0.5 / (3 * 3)
    assert gradient_error(error, weight).item() == pytest.approx(expected)
    assert gradient_error(error, 3 * weight).item() == pytest.approx(3 * expected)
    assert gradient_error(error + 0.2, weight).item() == pytest.approx(expected)  # a constant has no gradient


def test_loss_adds_the_gradients() -> None:
    method, batch = build(gradient_weight=0.5), pair(2, 1, 16, 16)
    losses = method.training_loss(batch, generator())
    assert losses["loss"].item() == pytest.approx((losses["intensity"] + 0.5 * losses["gradient"]).item())


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_contrast_of_the_input_is_random_and_the_target_keeps_its_own(share: float) -> None:
    method, batch = build(remapped_share=share, lesion_weight=0.0, gradient_weight=0.0), pair(3, 1, 16, 16)
    batch["brain"][..., 8:] = False
    method.unet = same = Same()
    loss = method.training_loss(batch, generator())["loss"].item()
    shown = same.seen[0]
    assert torch.equal(shown[..., 8:], batch["image"][..., 8:])  # outside the brain all stays
    assert all(torch.equal(s, i) for s, i in zip(shown, batch["image"], strict=True)) is (share == 0)
    assert loss == pytest.approx((shown - batch["healthy"]).abs().mean().item())


def test_remapped_intensities_lie_on_the_curve() -> None:
    image = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).view(1, 1, 1, 5)
    curves = torch.tensor([[0.2, 1.0, 0.0]])
    assert remap(image, curves).flatten().tolist() == pytest.approx([0.2, 0.6, 1.0, 0.5, 0.0])


def test_every_image_has_a_curve_of_its_own() -> None:
    image = torch.full((2, 1, 3, 3), 0.5)
    assert remap(image, torch.tensor([[0.0, 0.0], [1.0, 1.0]])).flatten(1).mean(1).tolist() == [0, 1]


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_volume_in_and_out(spatial_dims: int) -> None:
    method, volume = build(spatial_dims=spatial_dims), pair(6, 1, 16, 16)["image"]
    method.unet = same = Same()
    assert torch.equal(method.reconstruct(volume, generator()), volume)
    assert same.seen[0].shape == ((6, 1, 16, 16) if spatial_dims == 2 else (1, 1, 6, 16, 16))


def test_training_in_3d() -> None:
    loss = build(spatial_dims=3, remapped_share=1.0).training_loss(pair(2, 1, 6, 16, 16), generator())["loss"]
    assert torch.isfinite(loss) and loss.requires_grad


def test_map_is_empty_outside_the_brain() -> None:
    volume, brain = pair(3, 1, 16, 16)["image"], torch.zeros(3, 16, 16, dtype=torch.bool)
    brain[:, 4:12, 4:12] = True
    changed = build().anomaly_map(volume, volume + 0.5, brain, generator())
    assert not changed[~brain].any() and (changed[brain] > 0).all()


def test_volume_smaller_than_the_reach() -> None:
    with pytest.raises(UserError, match=r"inpainting\.parameters\.channel_multipliers: images of 3 x 16 x 16 .* reach of 4"):
        build(spatial_dims=3).reconstruct(torch.zeros(3, 1, 16, 16), generator())


def test_groups_that_do_not_divide() -> None:
    with pytest.raises(UserError, match="norm_groups: 7"):
        build(norm_groups=7)
