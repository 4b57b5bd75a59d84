"""MAEDiff-style: overlapping boxes, what is hidden from the autoencoder, and the two losses."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.methods.maediff import MAEDiff, overlapping, untouched


def build(**changes: object) -> MAEDiff:
    torch.manual_seed(0)
    return MAEDiff(**{**cards.tiny("maediff")["parameters"], "stride_fraction": 0.25, **changes})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Tokens(torch.nn.Module):
    """Stands in for the autoencoder: keeps what is visible and guesses a constant everywhere."""

    def __init__(self, guess: float = 0.0) -> None:
        super().__init__()
        self.side, self.guess, self.seen = 8, guess, []

    def forward(self, images: torch.Tensor, visible: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.seen.append((images, visible))
        return torch.zeros(len(images), 1, 1, 1), torch.full_like(images, self.guess)


class Answers(torch.nn.Module):
    """Stands in for the U-Net: one constant after another."""

    def __init__(self, *answers: float) -> None:
        super().__init__()
        self.answers, self.seen = answers, []

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        self.seen.append((x_t, t))
        return torch.full_like(x_t, self.answers[(len(self.seen) - 1) % len(self.answers)])


def spied(*answers: float, guess: float = 0.0, **changes: object) -> tuple[MAEDiff, Answers, Tokens]:
    method = build(**changes)
    method.unet, method.tokens = Answers(*(answers or (0.0,))), Tokens(guess)
    return method, method.unet, method.tokens


def batch(count: int, side: int = 32) -> dict[str, torch.Tensor]:
    image = torch.full((count, 1, side, side), 0.75)  # 0.5 to the network
    return {"image": image, "brain": image > 0}


def test_nine_boxes_of_half_the_side() -> None:
    corners = overlapping(96, 96, 0.5, 0.25)
    assert len(corners) == 9 and corners[0].tolist() == [0, 0, 48, 48] and corners[-1].tolist() == [48, 48, 96, 96]
    assert overlapping(96, 96, 0.5, 0.5).tolist() == [[0, 0, 48, 48], [0, 48, 48, 96], [48, 0, 96, 48], [48, 48, 96, 96]]
    assert overlapping(10, 10, 0.5, 0.4)[-1].tolist() == [5, 5, 10, 10]  # the far border is reached


def test_squares_that_a_box_touches_are_hidden() -> None:
    box = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    box[..., 8:17, 0:8] = True  # two squares, and a row of a third
    assert untouched(box, 8)[0, 0].int().tolist() == [[1, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]]


def test_training_hides_the_box_and_half_of_the_rest() -> None:
    method, unet, tokens = spied()
    method.training_loss(batch(64), generator())
    images, visible = tokens.seen[0]
    assert torch.equal(images, unet.seen[0][0])
    noised = torch.nn.functional.max_pool2d((images != 0.5).float(), 8).bool()
    assert (noised.flatten(1).sum(1) == 4).all()  # a quarter of sixteen squares
    assert not (noised & visible).any()
    assert visible[~noised].float().mean().item() == pytest.approx(0.5, abs=0.06)
    assert len({tuple(row.flatten().tolist()) for row in noised}) == 9


def test_test_shows_all_that_is_clean() -> None:
    method, unet, tokens = spied()
    method.reconstruct(batch(3)["image"], generator())
    assert len(unet.seen) == 9
    for images, visible in tokens.seen:
        noised = torch.nn.functional.max_pool2d((images != 0.5).float(), 8).bool()
        assert torch.equal(visible.expand_as(noised), ~noised) and (images == 0.5).float().mean() > 0.7


@pytest.mark.parametrize(("weight", "expected"), [(0.5, 0.2 + 0.5 * 0.4), (0.0, 0.2)])
def test_loss_is_the_error_in_the_box_and_the_guess_at_hidden_squares(weight: float, expected: float) -> None:
    method, _, _ = spied(0.3, guess=0.9, mae_weight=weight)
    losses = method.training_loss(batch(4), generator())
    assert losses["error"].item() == pytest.approx(0.2) and losses["guess"].item() == pytest.approx(0.4)
    assert losses["loss"].item() == pytest.approx(expected)


def test_only_hidden_squares_are_guessed_for_the_loss() -> None:
    method, _, _ = spied(hidden_share=0.0)
    learnt = torch.zeros(1, 1, 32, 32, requires_grad=True)
    method.tokens.forward = lambda images, visible, t: (torch.zeros(1, 1, 1, 1), learnt)
    method.training_loss(batch(1), generator())["guess"].backward()
    assert (learnt.grad != 0).sum() == 16 * 16  # the box alone


def test_overlaps_are_averaged() -> None:
    method, _, _ = spied(*range(9))
    restored = 2 * method.reconstruct(batch(1)["image"], generator())[0, 0] - 1
    assert restored[0, 0] == 0 and restored[-1, -1] == 8  # one box holds a corner
    assert restored[0, 8].item() == pytest.approx((0 + 1) / 2)
    assert restored[16, 16].item() == pytest.approx((4 + 5 + 7 + 8) / 4)


def test_card_says_that_it_is_a_reconstruction() -> None:
    card = cards.load("maediff")
    assert "reconstruction of ours" in card["title"] and card["published_scoring"] is None
