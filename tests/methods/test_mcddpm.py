"""MCDDPM: what the bridge and the U-Net are shown, the two errors, and the sizes of the released networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from madad.configuration import cards
from madad.methods.mcddpm import MCDDPM
from madad.models.diffusion.forward import to_signed
from madad.models.networks.context_unet import Bridge, ContextBlock, ContextUNet


def build(**changes: object) -> MCDDPM:
    torch.manual_seed(0)
    return MCDDPM(**{**cards.tiny("mcddpm")["parameters"], **changes})


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class SpiedBridge(nn.Module):
    """Stands in for the bridge: its features are the slice twice, and it decodes to a constant."""

    def __init__(self, answer: float) -> None:
        super().__init__()
        self.answer, self.seen = answer, []

    def encode(self, x_t: torch.Tensor) -> torch.Tensor:
        self.seen.append(x_t)
        return x_t.repeat(1, 2, 1, 1)

    def decode(self, features: torch.Tensor) -> torch.Tensor:
        return torch.full_like(features[:, :1], self.answer)


class SpiedUNet(nn.Module):
    """Stands in for the U-Net: keeps what it is shown and answers with given slices."""

    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.answer, self.seen = answer, []

    def forward(self, joined: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.seen.append((joined, t))
        return self.answer.expand_as(joined[:, :1])


def spied(answer: torch.Tensor, bridged: float = 0.0, **changes: object) -> MCDDPM:
    method = build(**changes)
    method.bridge, method.unet = SpiedBridge(bridged), SpiedUNet(answer)
    return method


def batch(image: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"image": image, "brain": image > 0}


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(
    ("base", "blocks", "bridge", "unet", "encoder", "decoder"),
    [(128, 3, 128, 38_992_257, 1_068_928, 477_328), (32, 1, 16, 1_403_553, 17_136, 7_712)],
)
def test_networks_have_the_sizes_of_the_released_ones(base, blocks, bridge, unet, encoder, decoder) -> None:
    sizes = {"base_channels": base, "blocks_per_level": blocks, "norm_groups": 32, "bridge_channels": bridge}
    with torch.device("meta"):
        method = build(**sizes)
    assert count(method.unet) == unet
    assert [count(part) for part in (method.bridge.encode, method.bridge.decode)] == [encoder, decoder]


def test_untrained_unet_answers_nothing() -> None:
    method = build()
    assert not method.unet(torch.randn(2, 17, 16, 16, generator=generator()), torch.tensor([5, 900])).any()


def test_bridge_sees_the_whole_noisy_slice_and_the_unet_the_box_beside_it() -> None:
    image = torch.rand(16, 1, 8, 12, generator=generator())
    method = spied(torch.zeros(()), noise_kind="gaussian")
    method.training_loss(batch(image), generator())
    (noisy,), ((shown, _),) = method.bridge.seen, method.unet.seen
    clean = to_signed(image)
    assert torch.equal(shown[:, 1:], noisy.repeat(1, 2, 1, 1)) and (noisy != clean).all()
    inside = shown[:, :1] != clean
    assert (inside.flatten(1).sum(1) == 8 * 12 // 4).all()
    assert torch.equal(shown[:, :1], torch.where(inside, noisy, clean))


@pytest.mark.parametrize(("loss", "box", "bridge"), [("l2", 2.25 / 4, 0.25), ("l1", 1.5 / 4, 0.5)])
def test_loss_is_the_error_in_the_box_and_half_of_the_bridges(loss: str, box: float, bridge: float) -> None:
    method = spied(torch.tensor(0.5), bridged=-0.5, loss=loss)
    losses = method.training_loss(batch(torch.zeros(3, 1, 16, 16)), generator())  # -1 to the network
    assert (losses["box"].item(), losses["bridge"].item()) == pytest.approx((box, bridge))
    assert losses["loss"].item() == pytest.approx(box + 0.5 * bridge)


def test_all_boxes_share_one_noise_and_a_network_that_knows_the_slice_gives_it_back() -> None:
    volume = torch.rand(3, 1, 16, 16, generator=generator())
    method = spied(to_signed(volume), slices_per_pass=64)
    assert torch.allclose(method.reconstruct(volume, generator()), volume, atol=1e-6)
    assert [t.tolist() for _, t in method.unet.seen] == [[499] * 3] * 4
    assert all(torch.equal(noisy, method.bridge.seen[0]) for noisy in method.bridge.seen)


def test_the_middle_attends_to_the_clean_surroundings_by_their_own_features() -> None:
    network = ContextUNet(
        in_channels=3,
        out_channels=1,
        base_channels=16,
        channel_multipliers=[1, 2],
        blocks_per_level=1,
        norm_groups=8,
        scale_shift=True,
    )
    torch.manual_seed(0)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.1)
    x, t = torch.randn(1, 3, 8, 8, generator=generator()), torch.tensor([700])
    context = network.context(x)
    assert context.shape == (1, 16, 32)
    assert torch.equal(network(x, t), network(x, t, context))
    assert not torch.allclose(network(x, t), network(x, t, context.roll(1, dims=2)))
    # the context is a set: its order does not matter
    assert torch.allclose(network(x, t), network(x, t, context.flip(1)), atol=1e-5)


def test_untrained_attention_changes_nothing_and_the_bridge_decodes_to_one_channel() -> None:
    block, x = ContextBlock(16, 8), torch.randn(2, 16, 4, 4, generator=generator())
    assert torch.equal(block(x, torch.randn(2, 9, 16)), x)
    bridge = Bridge(8)
    features = bridge.encode(x[:, :1])
    assert features.shape == (2, bridge.outputs, 4, 4) and bridge.decode(features).shape == (2, 1, 4, 4)
