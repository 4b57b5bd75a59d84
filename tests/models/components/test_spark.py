"""SparK: what the encoder is shown, what the error is taken of, which slices can be cut, and that it learns."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.models.components.spark import SparK
from madad.models.networks.spark import draw_visible, on_grid_of

PAPER = {"encoder_depth": 50, "encoder_width": 64, "encoder_stages": 4, "drop_path": 0.05, "mask_ratio": 0.65}


def build(**changes: object) -> SparK:
    torch.manual_seed(0)
    return SparK(**{**cards.tiny("spark")["parameters"], **changes})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(side: int = 32, count: int = 4) -> dict[str, torch.Tensor]:
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    phases = torch.arange(count)[:, None, None]
    image = (0.5 + 0.4 * torch.sin(x / 4 + phases) * torch.cos(y / 5))[:, None]
    return {"image": image, "brain": image > 0}


class Spy(torch.nn.Module):
    """Stands in for the decoder: answers with a picture."""

    def __init__(self, picture: torch.Tensor) -> None:
        super().__init__()
        self.picture = picture

    def forward(self, pyramid: list[torch.Tensor]) -> torch.Tensor:
        return self.picture


def loss_of(picture: torch.Tensor) -> float:
    method = build()
    method.decoder = Spy(picture)
    return method.training_loss(batch(), generator())["loss"].item()


def visible_pixels() -> torch.Tensor:
    """Those that `loss_of` shows to the encoder (4, 1, 32, 32)."""
    return on_grid_of(batch()["image"], draw_visible(4, (2, 2), PAPER["mask_ratio"], generator()))


def test_published_number_of_parameters() -> None:
    with torch.device("meta"):
        assert sum(weight.numel() for weight in SparK(**PAPER).parameters()) == 37_964_305


def test_three_of_nine_patches_are_visible_at_96() -> None:
    method, seen = build(encoder_stages=4), []
    method.densify[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    method.training_loss(batch(side=96), generator())
    assert seen[0].shape == (4, 1, 3, 3) and seen[0].sum(dim=(1, 2, 3)).tolist() == [3] * 4


def test_errors_of_visible_patches_do_not_count() -> None:
    assert loss_of(batch()["image"] + 0.5 * visible_pixels()) == 0


def test_loss_is_the_mean_square_over_hidden_patches() -> None:
    assert loss_of(batch()["image"] + 0.5 * ~visible_pixels()) == pytest.approx(0.25)


@pytest.mark.parametrize(("stages", "side"), [(4, 96), (4, 64), (3, 48), (3, 32), (2, 16)])
@pytest.mark.parametrize("depth", [18, 50])
def test_picture_has_the_size_of_the_slice(depth: int, stages: int, side: int) -> None:
    method, shapes = build(encoder_depth=depth, encoder_stages=stages, encoder_width=4), []
    method.decoder.register_forward_hook(lambda *call: shapes.append(call[-1].shape))
    method.training_loss(batch(side), generator())
    assert shapes == [(4, 1, side, side)]


@pytest.mark.parametrize(("stages", "side"), [(4, 48), (4, 32), (3, 40), (3, 16)])
def test_slices_that_cannot_be_cut_are_refused(stages: int, side: int) -> None:
    patch = 2 ** (stages + 1)
    with pytest.raises(UserError, match=f"{side} x {side} .* sides of {2 * patch}, {3 * patch}"):
        build(encoder_stages=stages).training_loss(batch(side), generator())


def test_mask_comes_from_the_generator() -> None:
    first, same, other = (build().train().training_loss(batch(), generator(seed))["loss"].item() for seed in (0, 0, 3))
    assert first == same != other


def test_it_learns_and_every_weight_takes_part() -> None:
    method, losses, reached = build().train(), [], set()
    optimiser = torch.optim.Adam(method.parameters(), lr=2e-3)
    for step in range(20):
        loss = method.training_loss(batch(), generator(step % 4))["loss"]
        loss.backward()
        reached |= {name for name, weight in method.named_parameters() if weight.grad is not None and weight.grad.any()}
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    assert {name for name, _ in method.named_parameters()} == reached
