"""mDDPM: what is hidden in training, what counts, and the methods it becomes when nothing is hidden."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.engine.ema import averaged
from madad.methods import registry
from madad.methods.mddpm import MDDPM
from madad.models.diffusion.forward import to_signed

ROW, COLUMN = torch.meshgrid(torch.arange(32) - 15.5, torch.arange(32) - 15.5, indexing="ij")
BRAIN = (ROW**2 / 196 + COLUMN**2 / 121 < 1).expand(6, 1, 32, 32)
BATCH = {"image": (0.2 + 0.7 * torch.rand(6, 1, 32, 32, generator=torch.Generator().manual_seed(5))) * BRAIN, "brain": BRAIN}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def build(**changes: object) -> MDDPM:
    return MDDPM(**{**cards.tiny("mddpm")["parameters"], **changes}).train()


def awake(method: torch.nn.Module) -> torch.nn.Module:
    """With the zeros of the U-Net replaced by the same numbers for every method."""
    source = generator()
    for weight in method.parameters():
        torch.nn.init.normal_(weight, std=0.05, generator=source)
    return method


def sibling(name: str) -> torch.nn.Module:
    # ddpm's released network adds the noise level where that of mddpm scales by it
    return awake(registry.build(name, {**cards.tiny(name)["parameters"], "scale_shift": True}, 0)).train()


class Answer(torch.nn.Module):
    """Stands in for the U-Net: keeps what it is shown and answers with its weights."""

    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.answer, self.seen = torch.nn.Parameter(answer), []

    def forward(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.seen.append(x_t)
        return self.answer


def answered(answer: torch.Tensor, **changes: object) -> tuple[MDDPM, Answer]:
    method, network = build(**changes), Answer(answer)
    method.unet = network
    return method, network


def perfect(**changes: object) -> tuple[MDDPM, Answer]:
    return answered(to_signed(BATCH["image"]), **changes)


def masked(method: MDDPM) -> torch.Tensor:
    """Return what the network gets in training instead of the batch; the masks are drawn first."""
    return to_signed(method.masking(BATCH["image"], BATCH["brain"], generator()))


@pytest.mark.parametrize(("noise_region", "name"), [("box", "pddpm"), ("slice", "ddpm")])
def test_without_masks_it_is_its_sibling(noise_region: str, name: str) -> None:
    method, other = awake(build(masking="none", noise_region=noise_region)), sibling(name)
    losses, reconstructions = [], []
    for each in (method, other):
        losses.append(each.training_loss(BATCH, generator())["loss"].item())
        with torch.no_grad():
            reconstructions.append(each.reconstruct(BATCH["image"], generator()))
    assert losses[0] == losses[1]
    assert torch.equal(*reconstructions)


def test_masks_are_for_training_alone() -> None:
    method, other = awake(build()), sibling("pddpm")
    expected = other.training_loss(BATCH, generator())["loss"].item()
    assert method.training_loss(BATCH, generator())["loss"].item() != expected
    validated = averaged(method, 0.9).eval().module  # as the engine does
    assert validated.training_loss(BATCH, generator())["loss"].item() == expected
    with torch.no_grad():
        assert torch.equal(method.reconstruct(BATCH["image"], generator()), other.reconstruct(BATCH["image"], generator()))


@pytest.mark.parametrize("geometry", ["code", "ratio"])
@pytest.mark.parametrize("masking", ["ipm", "fpm", "fpm_cm"])
def test_network_is_shown_the_masked_slice_noised_in_one_box(masking: str, geometry: str) -> None:
    method, network = perfect(masking=masking, mask_geometry=geometry, noise_kind="gaussian")
    before = BATCH["image"].clone()
    method.training_loss(BATCH, generator())
    u, clean = masked(method), to_signed(BATCH["image"])
    assert not torch.equal(u, clean) and torch.equal(BATCH["image"], before)
    noised = (network.seen[0] != u).flatten(1).sum(1)
    assert (noised == 16 * 16).all()


@pytest.mark.parametrize("loss_region", ["box", "slice"])
def test_perfect_network_pays_for_what_is_masked_outside_the_box(loss_region: str) -> None:
    method, network = perfect(loss_region=loss_region, noise_kind="gaussian")
    loss = method.training_loss(BATCH, generator())["loss"].item()
    u = masked(method)
    outside = network.seen[0] == u
    hidden = ((u - to_signed(BATCH["image"])).abs() * outside).mean().item()
    assert loss == pytest.approx(hidden if loss_region == "box" else 0, rel=1e-5, abs=1e-9) and hidden > 0


def test_gradients_come_from_the_box_alone() -> None:
    method, network = answered(torch.zeros(6, 1, 32, 32), noise_kind="gaussian")
    method.training_loss(BATCH, generator())["loss"].backward()
    inside = network.seen[0] != masked(method)
    assert torch.equal(network.answer.grad != 0, inside)
    assert network.answer.grad[inside].abs().unique().tolist() == pytest.approx([1 / BRAIN.numel()])


def test_whole_slice_is_noised_on_demand() -> None:
    method, network = perfect(noise_region="slice", noise_kind="gaussian")
    loss = method.training_loss(BATCH, generator())["loss"].item()
    assert (network.seen[0] != masked(method)).all() and loss == 0
    network.seen.clear()
    method.reconstruct(BATCH["image"], generator())
    assert len(network.seen) == 1


@pytest.mark.parametrize("frequencies", ["low", "high"])
def test_frequencies_are_chosen_by_name(frequencies: str) -> None:
    u = masked(build(masking="fpm", mask_frequencies=frequencies))
    error = (u - to_signed(BATCH["image"]))[BRAIN].abs().mean()
    assert error < 0.5 if frequencies == "low" else error > 0.8  # without low frequencies the brain is near black


@pytest.mark.parametrize("changes", [{"mask_ratio": [0.9, 0.1]}, {"mask_half_widths": [10, 2]}])
def test_ranges_rise(changes: dict) -> None:
    with pytest.raises(UserError, match=f"{next(iter(changes))}: .* falls"):
        cards.resolve("mddpm", changes, {}, None)


def test_level_beyond_the_last() -> None:
    with pytest.raises(UserError, match=r"mddpm\.parameters\.test_timesteps: 1001"):
        build(test_timesteps=[1001])
