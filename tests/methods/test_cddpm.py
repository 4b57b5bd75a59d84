"""cDDPM: what the encoder and the U-Net are shown, where the encoder's weights come from, and the choices of the card."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.cddpm import CDDPM
from madad.models.components.spark import SparK


def build(pretraining: torch.nn.Module | None = None, **changes: object) -> CDDPM:
    torch.manual_seed(0)
    return CDDPM(pretraining=pretraining, **{**cards.tiny("cddpm")["parameters"], **changes})


def spark(**changes: object) -> SparK:
    """As after a training: no weight and no batch statistic is that of a fresh encoder."""
    method = SparK(**{**cards.tiny("spark")["parameters"], **changes})
    for tensor in method.state_dict().values():
        tensor.copy_(torch.rand(tensor.shape) + 1 if tensor.is_floating_point() else torch.tensor(7))
    return method.requires_grad_(False).eval()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def awake(method: CDDPM) -> CDDPM:
    """With the zeros of U-Net and encoder replaced, as after some training."""
    for weight in method.unet.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    for name, weight in method.encoder.named_parameters():
        if name.endswith("weight") and weight.ndim == 1:
            torch.nn.init.ones_(weight)
    return method.eval()


class Spy(torch.nn.Module):
    """Stands in for the U-Net: keeps what it is shown and answers with a constant."""

    def __init__(self, answer: float = 0.0) -> None:
        super().__init__()
        self.answer, self.seen = answer, []

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        self.seen.append((x_t, t, condition))
        return torch.full_like(x_t, self.answer)


class Mean(torch.nn.Module):
    """Stands in for the encoder: the mean of a slice, and a count of the slices it was shown."""

    shown = 0

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        self.shown += len(slices)
        return slices.mean(dim=(1, 2, 3))[:, None]


def spied(answer: float = 0.0, **changes: object) -> tuple[CDDPM, Spy, Mean]:
    method, spy, mean = build(**changes), Spy(answer), Mean()
    method.unet, method.encoder = spy, mean
    return method, spy, mean


def ramp(count: int) -> torch.Tensor:
    """Slices (count, 1, 32, 32) of the constant values 0, 0.1, 0.2, …"""
    return (torch.arange(count) / 10)[:, None, None, None].expand(count, 1, 32, 32)


def test_published_number_of_parameters() -> None:
    with torch.device("meta"):
        method = CDDPM(pretraining=None, **cards.resolve("cddpm", {}, {}, None)["parameters"])
    counts = [sum(weight.numel() for weight in part.parameters()) for part in (method, method.unet, method.encoder)]
    assert counts == [68_619_329, 44_068_481, 24_550_848]


@pytest.mark.parametrize(("condition_channels", "length"), [(0, 64), (20, 20)])
def test_code_is_four_times_the_base_unless_set(condition_channels: int, length: int) -> None:
    method = build(condition_channels=condition_channels)
    assert method.encoder(torch.rand(2, 1, 32, 32)).shape == (2, length)
    assert method.unet.embed_condition[0].in_features == length


def test_untrained_method_reconstructs_grey_whatever_the_condition() -> None:
    assert (build().eval().reconstruct(torch.rand(2, 1, 32, 32), generator()) == 0.5).all()  # 0 to the network


def test_condition_matters_after_the_first_updates() -> None:
    method, volume = awake(build()), torch.rand(2, 1, 32, 32)
    before = method.reconstruct(volume, generator())
    torch.nn.init.ones_(method.encoder.fc.bias)
    assert not torch.allclose(method.reconstruct(volume, generator()), before)


def test_loss_is_the_mean_absolute_error_with_background() -> None:
    method, _, _ = spied(answer=0.5)
    assert method.training_loss({"image": torch.zeros(3, 1, 32, 32)}, generator())["loss"].item() == pytest.approx(1.5)


def test_encoder_is_shown_the_clean_slice_in_its_own_range() -> None:
    method, spy, _ = spied()
    method.training_loss({"image": ramp(4)}, generator())
    assert torch.allclose(spy.seen[0][2].flatten(), torch.tensor([0, 0.1, 0.2, 0.3]))


def test_encoder_learns_with_the_unet() -> None:
    method = awake(build()).train()
    method.training_loss({"image": torch.rand(4, 1, 32, 32)}, generator())["loss"].backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in method.encoder.parameters())


def test_three_levels_are_averaged_with_noise_of_their_own() -> None:
    method, spy, _ = spied(answer=2.0, noise_kind="gaussian")
    reconstruction = method.reconstruct(torch.full((2, 1, 32, 32), 0.5), generator())  # 0 to the network: noise alone
    assert [t.tolist() for _, t, _ in spy.seen] == [[249] * 2, [499] * 2, [749] * 2]
    fields = [(x_t / x_t.std()).flatten() for x_t, _, _ in spy.seen]
    assert abs((fields[0] * fields[1]).mean().item()) < 0.2
    assert (reconstruction == 1.5).all()


def test_condition_is_computed_once_a_slice_and_goes_with_it() -> None:
    method, spy, mean = spied(slices_per_pass=2)
    method.reconstruct(ramp(5), generator())
    assert mean.shown == 5
    assert [len(x_t) for x_t, _, _ in spy.seen] == [2, 2, 1] * 3
    codes = torch.cat([condition.flatten() for _, t, condition in spy.seen if t[0] == 499])
    assert torch.allclose(codes, torch.arange(5) / 10)


def test_draws_go_through_the_network_together_with_codes_computed_once() -> None:
    method, spy, mean = spied(slices_per_pass=6)
    method.reconstruct_several(ramp(2), generator(), 4)
    assert mean.shown == 2
    assert [len(x_t) for x_t, _, _ in spy.seen] == [6, 6, 6, 2, 2, 2]
    assert all(
        torch.allclose(condition.flatten(), torch.tensor([0, 0.1]).repeat(len(x_t) // 2)) for x_t, _, condition in spy.seen
    )


@pytest.mark.parametrize(("slices_per_pass", "tolerance"), [(2, 0.0), (64, 1e-4)])
def test_several_draws_have_the_noise_of_as_many_calls(slices_per_pass: int, tolerance: float) -> None:
    method, volume = awake(build(slices_per_pass=slices_per_pass)), torch.rand(3, 1, 32, 32)
    source = generator()
    one_by_one = torch.stack([method.reconstruct(volume, source) for _ in range(3)])
    together = method.reconstruct_several(volume, generator(), 3)
    assert torch.allclose(together, one_by_one, rtol=0, atol=tolerance)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.parametrize("shared", [True, False])
def test_slices_of_a_pass_do_not_change_the_reconstruction(shared: bool) -> None:
    volume = torch.rand(5, 1, 32, 32)
    whole, pieces = (awake(build(slices_per_pass=size, noise_shared=shared)).reconstruct(volume, generator()) for size in (64, 2))
    assert torch.allclose(whole, pieces, atol=1e-4)


def test_pretrained_encoder_is_copied_but_for_its_last_layer() -> None:
    part = spark()
    method, fresh = build(part), build()
    given, taken = part.encoder.state_dict(), method.encoder.state_dict()
    assert {name for name in taken if not name.startswith("fc.")} == set(given)
    assert all(torch.equal(taken[name], tensor) for name, tensor in given.items())
    assert torch.equal(method.encoder.fc.weight, fresh.encoder.fc.weight)


def test_pretraining_is_not_kept_and_its_weights_go_on_learning() -> None:
    part = spark()
    method = build(part)
    assert set(method.state_dict()) == set(build().state_dict())
    assert all(weight.requires_grad for weight in method.parameters())
    method.encoder.conv1.weight.data.zero_()
    assert part.encoder.conv1.weight.any()


@pytest.mark.parametrize("change", [{"encoder_depth": 50}, {"encoder_width": 16}, {"encoder_stages": 4}])
def test_pretraining_of_another_size_is_refused(change: dict) -> None:
    ((key, value),) = change.items()
    with pytest.raises(UserError, match=rf"cddpm\.parameters: {key} is \d+, but {value} in its pre-training"):
        build(spark(**change))
