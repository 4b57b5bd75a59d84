"""Synomaly: what is learnt, how stages follow each other, and when they end."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.methods.synomaly import Synomaly


def build(**changes: object) -> Synomaly:
    torch.manual_seed(0)
    return Synomaly(**{**cards.tiny("synomaly")["parameters"], "smallest_spot": 0, **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Spy(torch.nn.Module):
    """Stands in for the U-Net: keeps what it is shown and believes in a clean image of its own for every stage."""

    def __init__(self, alphas_cumprod: object, *clean: torch.Tensor) -> None:
        super().__init__()
        self.table, self.clean, self.seen = torch.tensor(alphas_cumprod), clean, []

    def forward(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        clean = self.clean[min(len(self.seen), len(self.clean) - 1)]
        self.seen.append((x_t, t))
        alpha_bar = self.table[t].to(x_t).view(-1, 1, 1, 1)
        return (x_t - alpha_bar.sqrt() * clean) / (1 - alpha_bar).sqrt()


def spied(volume: torch.Tensor, *healthy: torch.Tensor, **changes: object) -> tuple[torch.Tensor, Spy]:
    """Return the restored volume and the input of the network; `healthy` are the images it predicts, in [0, 1]."""
    method = build(**changes)
    method.unet = spy = Spy(method.alphas_cumprod, *(2 * image - 1 for image in healthy))
    return method.reconstruct(volume, generator()), spy


def patient(lesioned: tuple[int, ...] = (0,)) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two slices, those named with a bright square; the same healthy, and where the square is."""
    healthy, square = torch.full((2, 1, 64, 64), 0.4), torch.zeros(2, 1, 64, 64, dtype=torch.bool)
    square[list(lesioned), :, 20:40, 20:40] = True
    return healthy + 0.4 * square, healthy, square


def test_second_stage_sees_the_restoration_where_the_first_changed_much() -> None:
    volume, healthy, square = patient()
    haze = healthy + 0.01  # too little to count
    _, spy = spied(volume, haze, haze, max_stages=2, mask_sigma=0.01)
    alpha_bar = spy.table[199].item()
    means = [x_t[region].mean().item() / alpha_bar**0.5 for x_t, _ in spy.seen for region in (square, ~square)]
    in_square, elsewhere = 0.6, -0.2  # 0.8 and 0.4 in the range of the network
    assert means == pytest.approx([in_square, elsewhere, -0.18, elsewhere], abs=0.05)
    assert all((t == 199).all() for _, t in spy.seen)


def test_noise_at_test_has_no_shapes_and_is_new_in_every_stage() -> None:
    volume, healthy, _ = patient()
    _, spy = spied(healthy, volume, volume, max_stages=2, mask_sigma=0.01)
    spread = (1 - spy.table[199].item()) ** 0.5
    first, second = (x_t[1] / spread for x_t, _ in spy.seen)  # nothing is replaced in the second slice
    assert first.std().item() == pytest.approx(1, abs=0.05) and not torch.allclose(first, second, atol=0.1)


def test_stages_end_when_no_mask_changes() -> None:
    volume, healthy, _ = patient()
    settled, spy = spied(volume, healthy, max_stages=5)
    assert len(spy.seen) == 2  # the second mask is that of the first
    assert torch.allclose(settled, healthy, atol=1e-4)
    for stages, passes in ((1, 1), (3, 3)):
        ever_new = [healthy + (0.3 * step) * patient((1,))[2] for step in (0, 1, 0, 1, 0)]
        assert len(spied(volume, *ever_new, max_stages=stages)[1].seen) == passes


def test_slice_that_is_done_keeps_its_restoration() -> None:
    volume, healthy, _ = patient()
    moving = healthy + 0.3 * patient((1,))[2]  # what stage two believes in the second slice
    later = torch.cat([torch.full_like(healthy[:1], 0.9), healthy[1:]])
    found, spy = spied(volume, healthy, moving, later, max_stages=3)
    assert len(spy.seen) == 3 and torch.allclose(found[0], healthy[0], atol=1e-4)


def test_map_is_the_difference_of_the_blurred_images_without_a_threshold() -> None:
    volume, healthy, _ = patient()
    brain = torch.ones(2, 64, 64, dtype=torch.bool)
    brain[:, :10] = False
    found = build().anomaly_map(volume, healthy + 0.001, brain, generator())
    assert found[0, 30, 30].item() == pytest.approx(0.399, abs=1e-3)
    assert found[1][brain[1]].allclose(torch.tensor(0.001), atol=1e-5) and not found[~brain].any()
    assert 0.1 < found[0, 30, 19].item() < 0.3  # the border is blurred


def test_network_learns_the_noise_with_its_shapes() -> None:
    """A network that knows the clean slice is right about all of the noise; one that answers 0 has its variance as error."""
    image = torch.full((16, 1, 64, 64), 0.5)
    batch = {"image": image, "brain": torch.ones_like(image, dtype=torch.bool)}
    plain, shaped = (
        build(anomaly_level=level, bound_weight=0.0).training_loss(batch, generator())["loss"].item() for level in (255.0, 175.0)
    )
    assert plain == pytest.approx(1, abs=0.02) and shaped > plain + 0.05
    method = build(bound_weight=0.0)
    method.unet = Spy(method.alphas_cumprod, torch.zeros(1))
    assert method.training_loss(batch, generator())["loss"].item() == pytest.approx(0, abs=1e-4)


def test_bound_is_added_by_its_weight() -> None:
    image = torch.full((4, 1, 32, 32), 0.5)
    batch = {"image": image, "brain": torch.ones_like(image, dtype=torch.bool)}
    losses = build(bound_weight=0.5).training_loss(batch, generator())
    assert losses["bound"] > 0
    assert losses["loss"].item() == pytest.approx((losses["error"] + 0.5 * losses["bound"]).item())


def test_shapes_are_dark_where_lesions_are() -> None:
    directions = {m: cards.resolve("synomaly", {}, {}, m)["parameters"]["anomaly_direction"] for m in ("FLAIR", "T2w", "T1w")}
    assert directions == {"FLAIR": "bright", "T2w": "bright", "T1w": "dark"}
