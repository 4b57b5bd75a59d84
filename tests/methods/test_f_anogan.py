"""f-AnoGAN: whose turn it is, what moves then, and which model would be published."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.engine.optimisers import OPTIMISERS
from madad.engine.training import Training
from madad.engine.training_data import read_images
from madad.methods.f_anogan import FAnoGAN
from madad.models.networks.wgan import critic_loss
from tests.engine import toy


def build(**changes: object) -> FAnoGAN:
    torch.manual_seed(0)
    return FAnoGAN(**{**cards.tiny("f_anogan")["parameters"], "encoder_start": 6, **changes}).train()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch() -> dict[str, torch.Tensor]:
    image = torch.rand(4, 1, 16, 12, generator=generator())
    return {"image": image, "brain": torch.ones_like(image, dtype=torch.bool)}


def moved(method: FAnoGAN, optimiser: torch.optim.Optimizer) -> set[str]:
    """Return the networks that one step of one optimiser changes."""
    before = {key: value.clone() for key, value in method.named_parameters()}
    method.training_loss(batch(), generator())["loss"].backward()
    optimiser.step()
    optimiser.zero_grad()
    return {key.split(".")[0] for key, value in method.named_parameters() if not torch.equal(value, before[key])}


def test_one_network_moves_at_a_time() -> None:
    method = build(critic_steps=2, encoder_start=6)
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-3)
    turns = [moved(method, optimiser) for _ in range(8)]
    critic, drawing, encoder = {"critic"}, {"generator"}, {"encoder"}
    assert turns == [critic, critic, drawing, critic, critic, drawing, encoder, encoder]


def test_turn_is_part_of_what_a_checkpoint_holds() -> None:
    method, resumed = build(), build()
    for _ in range(7):
        method.training_loss(batch(), generator())
    resumed.load_state_dict(method.state_dict())
    assert resumed.training_loss(batch(), generator()).keys() == {"loss", "image", "features"}


def test_encoder_loss_is_that_of_image_and_features() -> None:
    method, x = build(encoder_start=0, feature_weight=0.5), batch()["image"]
    loss = method.training_loss(batch(), generator())["loss"].item()
    drawn = method.generator(method.encoder(x), x.shape[2:])
    features = (method.critic.features(drawn) - method.critic.features(x)).square().mean()
    assert loss == pytest.approx(((drawn - x).square().mean() + 0.5 * features).item(), rel=1e-5)


def test_critic_sees_codes_of_the_generator_it_is_given() -> None:
    method, x, source = build(), batch()["image"], generator()
    loss = method.training_loss(batch(), generator())["loss"].item()
    z, shares = torch.randn(4, method.latent_size, generator=source), torch.rand(4, generator=source)
    expected = critic_loss(method.critic, x, method.generator(z, x.shape[2:]), shares, method.penalty_weight)["loss"]
    assert loss == pytest.approx(expected.item(), rel=1e-5)


def test_model_without_encoder_is_never_the_best() -> None:
    """The validation of a GAN without encoder is worse than that of any encoder."""
    method = build().eval()
    early = method.training_loss(batch(), generator())["loss"]
    method.steps.fill_(7)
    late = method.training_loss(batch(), generator())["loss"]
    assert early == late + 1 and 0 < late < 1 and method.steps == 7


def test_training_that_ends_before_the_encoder_is_refused() -> None:
    with pytest.raises(UserError, match=r"f_anogan\.parameters\.encoder_start: 30000 goes beyond training\.steps = 20000"):
        cards.resolve("f_anogan", {}, {"steps": 20000}, None)
    method = build()
    method.training_loss(batch(), generator())
    with pytest.raises(UserError, match=r"trained for 1 steps, of which the GAN took 6 .* raise training\.steps"):
        method.eval().reconstruct(batch()["image"], generator())


class Ended:
    """An interruption that comes by itself after so many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    @property
    def exit_code(self) -> int | None:
        self.left -= 1
        return 143 if self.left < 0 else None


@pytest.mark.parametrize("after", [3, 6, 9])
def test_interrupted_in_either_turn_it_ends_the_same(tmp_path: Path, after: int) -> None:
    packs = toy.packs(tmp_path)
    images = [read_images(path, torch.device("cpu")) for path in packs.values()]
    options = {**toy.OPTIONS, "steps": 12}

    def training() -> Training:
        return Training(build(), *images, options, 0, torch.device("cpu"))

    whole = training()
    whole.run(tmp_path / "whole", "x", Ended(1000))
    with pytest.raises(SystemExit):
        training().run(tmp_path / "parts", "x", Ended(after))
    resumed = training()
    resumed.run(tmp_path / "parts", "x", Ended(1000))
    assert resumed.outcome.best_step > 6  # the encoder's turn began after step 6
    assert all(torch.equal(value, resumed.best["weights"][key]) for key, value in whole.best["weights"].items())


def test_optimiser_of_the_card_forgets_where_it_was_going() -> None:
    """Gulrajani et al. 2017, algorithm 1: betas 0 and 0.9. With 0.9 and 0.999 no head came out on IXI."""
    chosen = cards.resolve("f_anogan", {}, {}, None)["training"]["optimiser"]
    optimiser = OPTIMISERS[chosen](build().parameters(), lr=1e-3)
    assert optimiser.defaults["betas"] == (0.0, 0.9)
