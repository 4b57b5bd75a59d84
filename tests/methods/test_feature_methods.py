"""FAE and RD4AD: what the encoder's features are compared with, and that the encoder stays as it is."""

from __future__ import annotations

import pytest
import torch
from monai.metrics.regression import compute_ssim_and_cs
from torch import nn
from torch.nn import functional

from madad.configuration import cards
from madad.core.errors import UserError
from madad.engine.training import _frozen
from madad.methods.fae import FAE
from madad.methods.rd4ad import RD4AD, unlike
from madad.models.components.spark import SparK
from madad.models.networks.feature_autoencoder import FeatureAutoencoder, similarity

SIDE = 64
METHODS = {"fae": FAE, "rd4ad": RD4AD}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def encoder() -> SparK:
    torch.manual_seed(0)
    part = SparK(**cards.tiny("spark")["parameters"]).eval().requires_grad_(False)
    for name, weight in part.named_parameters():
        if name.endswith("weight") and weight.ndim == 1:
            nn.init.ones_(weight)  # branches start at zero
    return part


def build(name: str, **changes: object) -> nn.Module:
    part = encoder()
    torch.manual_seed(0)
    return METHODS[name](encoder=part, **{**cards.tiny(name)["parameters"], **changes})


def batch(count: int = 4) -> dict[str, torch.Tensor]:
    row, column = torch.meshgrid(torch.arange(SIDE) - 32.0, torch.arange(SIDE) - 32.0, indexing="ij")
    brain = ((row / 26) ** 2 + (column / 22) ** 2 < 1).expand(count, 1, -1, -1)
    shifts = torch.rand(count, generator=generator()).view(-1, 1, 1, 1)
    return {"image": brain * (0.5 + 0.2 * torch.sin(row / 5 + shifts) * torch.cos(column / 6)), "brain": brain}


def mapped(method: nn.Module, data: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return method.anomaly_map(data["image"], None, data["brain"][:, 0], generator())


@pytest.mark.parametrize("name", METHODS)
def test_training_leaves_the_encoder_and_its_statistics_as_they_are(name: str) -> None:
    method, data = build(name).train(), batch()
    part = method.features.encoder if name == "fae" else method.teacher
    for frozen in _frozen(method):
        frozen.eval()
    before = {key: value.clone() for key, value in part.state_dict().items()}
    optimiser = torch.optim.Adam([weight for weight in method.parameters() if weight.requires_grad], lr=2e-3)
    losses = []
    for _ in range(20):
        loss = method.training_loss(data, generator())["loss"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(value, before[key]) for key, value in part.state_dict().items())
    if name == "fae":
        assert method.norm.num_batches_tracked == 20 and method.norm.running_mean.abs().max() > 0


class Same(nn.Module):
    """Stands in for a network that gives back what it is shown, times a factor."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, features):
        return [self.factor * one for one in features] if isinstance(features, list) else self.factor * features


def test_features_that_come_back_have_no_score() -> None:
    data = batch()
    fae, rd4ad = build("fae").eval(), build("rd4ad").eval()
    fae.autoencoder, rd4ad.student = Same(), Same(3.0)  # a cosine does not know the scale
    for method in (fae, rd4ad):
        assert mapped(method, data).abs().max() < 1e-4 and method.training_loss(data, generator())["loss"].abs() < 1e-4


def test_opposite_features_score_two_at_every_stage() -> None:
    data = batch()
    for aggregation, expected in (("sum", 2.0 * 3), ("product", 2.0**3)):
        method = build("rd4ad", aggregation=aggregation, smoothing=0.0).eval()
        method.student = Same(-1.0)
        found = mapped(method, data)
        assert torch.allclose(found[data["brain"][:, 0]], torch.tensor(expected), atol=1e-4)
        assert not found[~data["brain"][:, 0]].any()


def test_loss_by_map_and_by_place() -> None:
    data, losses = batch(), {}
    for loss in ("map", "place"):
        method = build("rd4ad", loss=loss).eval().requires_grad_(False)
        known, found = method._pyramids(data["image"])
        losses[loss] = method.training_loss(data, generator())["loss"].item()
        if loss == "map":
            whole = [
                1 - functional.cosine_similarity(a.flatten(1), b.flatten(1)).mean() for a, b in zip(known, found, strict=True)
            ]
            assert losses[loss] == pytest.approx(sum(one.item() for one in whole), rel=1e-5)
        else:
            middle = [unlike(a, b)[:, a.shape[2] // 2, a.shape[3] // 2] for a, b in zip(known, found, strict=True)]
            assert all((one >= 0).all() for one in middle)
    assert losses["map"] != losses["place"]


def test_similarity_is_that_of_monai_away_from_the_border() -> None:
    one, other = torch.rand(2, 1, 2, 24, 20, generator=generator())
    expected, _ = compute_ssim_and_cs(one, other, 2, (5, 5), (1.5, 1.5), data_range=1.0)
    assert torch.allclose(similarity(one, other, 1.0)[..., 2:-2, 2:-2], expected, atol=1e-5)
    assert torch.allclose(similarity(one, one, 1.0), torch.ones_like(one))


def test_similarity_has_the_digits_of_float32_under_autocast() -> None:
    one = 3 + 0.1 * torch.rand(1, 2, 12, 12, generator=generator())  # the squares cancel to a thousandth
    other = one + 0.05 * torch.rand(one.shape, generator=generator())
    expected = similarity(one, other, 1.0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(similarity(one, other, 1.0), expected)
        halved = one.bfloat16(), other.bfloat16()
        found = similarity(*halved, 1.0)
    assert torch.equal(found, similarity(*(half.float() for half in halved), 1.0))


def test_features_are_standardised_in_the_brain_and_nothing_outside() -> None:
    method, data = build("fae").train(), batch()
    features, cells = method.standardised(data["image"], data["brain"])
    rows = features.movedim(1, -1)[cells]
    assert torch.allclose(rows.mean(0), torch.zeros(rows.shape[1]), atol=1e-3)
    # channels that hardly vary are not blown up
    assert rows.var(0, correction=0).max() < 1.01 and rows.var(0, correction=0).median() > 0.9
    assert not features.movedim(1, -1)[~cells].any()


@pytest.mark.parametrize("name", METHODS)
def test_a_bright_ball_stands_out_after_a_short_training(name: str) -> None:
    method, data = build(name).train(), batch()
    optimiser = torch.optim.Adam([weight for weight in method.parameters() if weight.requires_grad], lr=3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        method.training_loss(data, generator())["loss"].backward()
        optimiser.step()
    image = data["image"].clone()
    image[..., 28:38, 28:38] = 1.5
    usual, found = mapped(method.eval(), data), mapped(method, {**data, "image": image})
    assert found[:, 29:37, 29:37].mean() > 1.5 * usual[:, 29:37, 29:37].mean()


def test_grids_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"fae\.parameters\.hidden_channels: 3 layers halve a grid.*multiples of 8.*12 x 10 cells"
    ):
        FeatureAutoencoder(4, [4, 4, 4])(torch.zeros(1, 4, 12, 10))
    with pytest.raises(UserError, match=r"rd4ad\.parameters\.upsample: .* 3 x 2 cells"):
        build("rd4ad", upsample=1).training_loss(
            {"image": torch.rand(2, 1, 48, 32), "brain": torch.ones(2, 1, 48, 32)}, generator()
        )
