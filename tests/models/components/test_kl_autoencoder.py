"""The shared autoencoder: what its loss is made of, what it measures along the way, and that a useless one refuses to serve."""

from __future__ import annotations

import itertools

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.engine.ema import averaged
from madad.models.components.kl_autoencoder import KLAutoencoder
from madad.models.networks.autoencoder import last_layer


def build(**changes: object) -> KLAutoencoder:
    torch.manual_seed(0)
    return KLAutoencoder(**{**cards.tiny("kl_autoencoder")["parameters"], **changes})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(*sides: int, count: int = 4) -> dict[str, torch.Tensor]:
    """Waves in a box of brain."""
    sides = sides or (16, 16)
    axes = torch.meshgrid(*(torch.arange(side) for side in sides), indexing="ij")
    phases = torch.arange(count).view(-1, *[1] * len(sides))
    brain = torch.stack([(axis > side // 8) & (axis < side - side // 8) for axis, side in zip(axes, sides, strict=True)]).all(0)
    brain = brain.expand(count, 1, *sides)
    waves = 0.5 + 0.4 * torch.sin(axes[-1] / 3 + phases) * torch.cos(axes[-2] / 4)
    return {"image": waves[:, None] * brain, "brain": brain}


def train(network: KLAutoencoder, steps: int, decay: float = 0.9) -> KLAutoencoder:
    """Return the averaged network after a few steps and a validation, as the engine would publish it."""
    optimiser = torch.optim.Adam(network.train().parameters(), lr=3e-3)
    average = averaged(network, decay)
    for step in range(steps):
        network.training_loss(batch(), generator(step))["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
        average.update_parameters(network)
    validate(average.module.eval())
    return average.module


@torch.no_grad()
def validate(network: KLAutoencoder) -> None:
    for half in (slice(0, 2), slice(2, 4)):
        network.training_loss({key: value[half] for key, value in batch().items()}, generator(9))


@pytest.fixture(scope="module")
def trained() -> KLAutoencoder:
    return train(build(), 100)


@pytest.mark.parametrize("sides", [(32, 32), (16, 32, 24)])
def test_loss_is_finite_and_reaches_every_weight(sides: tuple[int, ...]) -> None:
    network = build(spatial_dims=len(sides)).train()
    reached = set()
    for step in range(2):  # attention starts at zero and passes nothing back before its first step
        network.zero_grad()
        network.training_loss(batch(*sides, count=2), generator(step))["loss"].backward()
        reached |= {name for name, weight in network.named_parameters() if weight.grad is not None and weight.grad.any()}
        with torch.no_grad():
            for weight in network.parameters():
                weight -= 0.01 * weight.grad
    assert reached == {name for name, _ in network.named_parameters()}


def test_loss_is_the_sum_of_its_terms() -> None:
    network = build(kl_weight=0.01, adversarial_weight=0.1).train()
    losses = network.training_loss(batch(), generator())
    expected = losses["reconstruction"] + 0.01 * losses["kl"] + 0.1 * (losses["deceiving"] + losses["deceived"])
    assert losses["loss"].item() == pytest.approx(expected.item())


def test_learnt_variance_settles_at_the_error() -> None:
    network = build(learnt_variance=True, adversarial_weight=0.0, kl_weight=0.0).train()
    losses = network.training_loss(batch(), generator())
    assert losses["loss"].item() == pytest.approx(losses["reconstruction"].item())
    with torch.no_grad():
        network.log_variance.copy_(losses["reconstruction"].log())
    settled = network.training_loss(batch(), generator())["loss"]
    (slope,) = torch.autograd.grad(settled, network.log_variance)
    assert settled.item() == pytest.approx(1 + losses["reconstruction"].log().item()) and slope.item() == pytest.approx(
        0, abs=1e-5
    )


def test_published_adversarial_loss_pulls_half_as_hard_as_the_error_at_the_last_layer() -> None:
    network = build(adversarial_loss="hinge", adversarial_weight=0.5, kl_weight=0.0).train()
    losses = network.training_loss(batch(), generator())
    weight = last_layer(network.network)
    whole, error = (torch.autograd.grad(losses[name], weight, retain_graph=True)[0] for name in ("loss", "reconstruction"))
    assert (whole - error).norm().item() == pytest.approx(0.5 * error.norm().item(), rel=0.05)


def test_model_is_chosen_without_the_adversarial_terms() -> None:
    losses = build(kl_weight=0.01).eval().training_loss(batch(), generator())
    assert set(losses) == {"loss", "reconstruction", "kl"}
    assert losses["loss"].item() == pytest.approx((losses["reconstruction"] + 0.01 * losses["kl"]).item())


def test_discriminator_joins_after_its_start_also_in_a_resumed_training() -> None:
    network = build(adversarial_start=2).train()
    joined = ["deceived" in network.training_loss(batch(), generator()) for _ in range(4)]
    assert joined == [False, False, True, True]
    resumed = build(adversarial_start=5).train()
    resumed.load_state_dict(network.state_dict())
    assert ["deceived" in resumed.training_loss(batch(), generator()) for _ in range(2)] == [False, True]


def test_no_discriminator_without_its_weight() -> None:
    network = build(adversarial_weight=0.0).train()
    assert network.discriminator is None and set(network.training_loss(batch(), generator())) == {"loss", "reconstruction", "kl"}


def test_squared_error_on_demand() -> None:
    answers = {"l1": 0.5, "l2": 0.25}
    for kind, expected in answers.items():
        network = build(reconstruction_loss=kind).eval()
        network.network.decode = lambda z: torch.full((4, 1, 16, 16), -0.5)
        black = {"image": torch.zeros(4, 1, 16, 16), "brain": torch.ones(4, 1, 16, 16, dtype=torch.bool)}
        assert network.training_loss(black, generator())["reconstruction"].item() == expected


def test_published_latents_have_unit_deviation_in_the_brain(trained: KLAutoencoder) -> None:
    data = batch()
    with torch.no_grad():
        mean, sigma = trained.encode(data["image"])
    cells = torch.nn.functional.avg_pool2d(data["brain"].float(), trained.downsampling) >= 0.5
    assert trained.scale.item() != pytest.approx(1, abs=0.05)  # else there is nothing to see
    assert mean[cells.expand_as(mean)].std(correction=0).item() == pytest.approx(1, abs=1e-3)
    assert sigma.shape == mean.shape == (4, trained.latent_channels, 8, 8) and (sigma > 0).all()


def test_without_validation_the_scale_is_that_of_the_last_steps() -> None:
    network, data = build(adversarial_weight=0.0).train(), batch()
    with torch.no_grad():
        for _ in range(3):
            network.training_loss(data, generator())
        network.network.moments.weight *= 3
        network.network.moments.bias *= 3
        before = network.scale.item()
        for _ in range(100):
            network.training_loss(data, generator())
    assert network.scale.item() == pytest.approx(before / 3, rel=0.05)


def test_scale_is_told_by_the_brain_alone() -> None:
    network, data = build().train(), batch()
    data["brain"] = data["brain"] & (torch.arange(16) < 8)
    network.training_loss(data, generator())
    with torch.no_grad():
        unscaled = network.network.encode(2 * data["image"] - 1)[0]
    cells = torch.nn.functional.avg_pool2d(data["brain"].float(), 2) >= 0.5
    inside = unscaled[cells.expand_as(unscaled)]
    assert network.scale.item() == pytest.approx(1 / inside.std(correction=0).item(), rel=1e-4)
    assert network.scale.item() != pytest.approx(1 / unscaled.std().item(), rel=0.01)


def test_latents_are_float32_under_mixed_precision(trained: KLAutoencoder) -> None:
    data = batch()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        mean, sigma = trained.encode(data["image"])
        losses = build().train().training_loss(data, generator())
    assert mean.dtype == sigma.dtype == torch.float32
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_decoding_undoes_the_scale_of_encoding(trained: KLAutoencoder) -> None:
    image = batch()["image"]
    with torch.no_grad():
        there = trained.network.decode(trained.network.encode(2 * image - 1)[0])
        assert torch.allclose(trained.decode(trained.encode(image)[0]), (there + 1) / 2, atol=1e-5)


def test_error_is_relative_to_a_flat_brain(trained: KLAutoencoder) -> None:
    network, data = build().train(), batch()
    assert network.relative_error == 0
    network.network.load_state_dict(trained.network.state_dict())
    network.training_loss(data, generator())
    with torch.no_grad():
        mean, sigma = trained.network.encode(2 * data["image"] - 1)
        sample = mean + sigma * torch.randn(mean.shape, generator=generator())
        reconstruction = (trained.network.decode(sample) + 1) / 2
    images = list(zip(reconstruction, data["image"], data["brain"], strict=True))
    error = sum((there[brain] - here[brain]).abs().sum() for there, here, brain in images)
    flat = sum((here[brain] - here[brain].mean()).abs().sum() for _, here, brain in images)
    assert network.relative_error.item() == pytest.approx((error / flat).item(), rel=1e-4) and error < 0.5 * flat


def test_constant_answer_has_relative_error_one() -> None:
    network, data = build().train(), batch()
    network.network.decode = lambda z: torch.full_like(data["image"], 2 * data["image"][data["brain"]].mean() - 1)
    network.training_loss(data, generator())
    assert network.relative_error.item() == pytest.approx(1, abs=0.05)


def test_useless_autoencoder_refuses_to_encode() -> None:
    network = build(max_relative_error=0.5)
    image = batch()["image"]
    network.encode(image)  # untrained: nothing was measured
    network.train().training_loss(batch(), generator())
    with pytest.raises(
        UserError, match=r"kl_autoencoder: .* of the error of a flat brain, max_relative_error allows 0.5.*longer"
    ):
        network.eval().encode(image)
    train(network, 100)
    network.eval().encode(image)


def test_measurements_survive_saving(trained: KLAutoencoder) -> None:
    fresh = build()
    fresh.load_state_dict(trained.state_dict())
    assert fresh.scale == trained.scale and fresh.relative_error == trained.relative_error and fresh.steps == 100


def test_a_validation_starts_from_scratch(trained: KLAutoencoder) -> None:
    network = build().eval()
    network.load_state_dict(trained.state_dict())
    network.latent_moments.copy_(torch.tensor([5.0, 50.0]))
    network.validated.zero_()  # as the next training step does
    validate(network)
    assert network.scale.item() == pytest.approx(trained.scale.item(), rel=1e-5) and network.validated == 2
    network.train().training_loss(batch(), generator())
    assert network.validated == 0


def test_resumed_training_is_the_same_training() -> None:
    whole, halves = build(), build()
    for network, sittings in ((whole, 1), (halves, 2)):
        numbers = itertools.count()
        for _ in range(sittings):
            state = network.state_dict()
            network = build().train()
            network.load_state_dict(state)
            for _ in range(4 // sittings):
                network.training_loss(batch(), generator(next(numbers)))
        (whole if sittings == 1 else halves).load_state_dict(network.state_dict())
    assert all(torch.equal(value, halves.state_dict()[name]) for name, value in whole.state_dict().items())


@pytest.mark.parametrize(
    ("sides", "message"), [((30, 31), "30 x 31 voxels cannot be halved 1 times"), ((8, 32, 32), "spatial_dims: 2, but")]
)
def test_images_that_do_not_fit_are_refused(sides: tuple[int, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build().encode(torch.rand(1, 1, *sides))
