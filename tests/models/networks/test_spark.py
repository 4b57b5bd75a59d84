"""SparK: hidden pixels reach nothing, batch statistics are those of visible sites, and all visible is the ordinary network."""

from __future__ import annotations

import pytest
import torch

from madad.models.networks.resnet import ResNetEncoder
from madad.models.networks.spark import Decoder, Densify, draw_visible, on_grid_of, sparse_norm, sparse_pyramid


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoder(depth: int = 18, stages: int = 4) -> ResNetEncoder:
    torch.manual_seed(0)
    return ResNetEncoder(depth=depth, width=4, stages=stages)


def masked(count: int = 2, grid: tuple[int, int] = (3, 3), patch: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.rand(count, 1, grid[0] * patch, grid[1] * patch, generator=generator())
    return images, draw_visible(count, grid, 0.65, generator())


def dense_pyramid(network: ResNetEncoder, images: torch.Tensor) -> list[torch.Tensor]:
    features = []
    hooks = [stage.register_forward_hook(lambda *call: features.append(call[-1])) for stage in network.stages]
    network(images)
    for hook in hooks:
        hook.remove()
    return features


def test_the_dense_pyramid_is_the_sparse_one_with_everything_visible() -> None:
    network, (images, visible) = encoder().eval(), masked()
    with torch.no_grad():
        found, everything = network.pyramid(images), sparse_pyramid(network, images, torch.ones_like(visible))
    assert [tuple(stage.shape[1:]) for stage in found] == [(4, 24, 24), (8, 12, 12), (16, 6, 6), (32, 3, 3)]
    assert all(torch.allclose(dense, sparse, atol=1e-5) for dense, sparse in zip(found, everything, strict=True))


@pytest.mark.parametrize(
    ("grid", "ratio", "kept"), [((3, 3), 0.65, 3), ((2, 2), 0.65, 1), ((6, 6), 0.65, 13), ((1, 2), 0.01, 1), ((2, 1), 0.99, 1)]
)
def test_every_image_keeps_the_same_number_of_patches(grid: tuple[int, int], ratio: float, kept: int) -> None:
    visible = draw_visible(50, grid, ratio, generator())
    assert visible.shape == (50, 1, *grid) and visible.dtype == torch.bool
    assert (visible.sum(dim=(1, 2, 3)) == kept).all()


def test_patches_are_drawn_uniformly_and_from_the_generator() -> None:
    visible = draw_visible(3000, (3, 3), 0.65, generator())
    assert torch.allclose(visible.float().mean(dim=0), torch.tensor(1 / 3), atol=0.05)
    assert torch.equal(visible, draw_visible(3000, (3, 3), 0.65, generator()))
    assert not torch.equal(visible, draw_visible(3000, (3, 3), 0.65, generator(1)))


def test_mask_on_a_finer_grid() -> None:
    visible = torch.tensor([[[[True, False]]]])
    assert on_grid_of(torch.zeros(1, 5, 2, 4), visible)[0, 0].tolist() == [[True, True, False, False]] * 2


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("training", [True, False])
def test_all_visible_is_the_ordinary_network(depth: int, training: bool) -> None:
    images, visible = masked()
    images = images.double()  # batch norms in a row amplify rounding
    network, twin = (encoder(depth).double().train(training) for _ in range(2))
    for sparse, dense in zip(sparse_pyramid(network, images, torch.ones_like(visible)), dense_pyramid(twin, images), strict=True):
        assert torch.allclose(sparse, dense)
    assert all(torch.allclose(network.state_dict()[name], tensor) for name, tensor in twin.state_dict().items())


@pytest.mark.parametrize("depth", [18, 50])
def test_hidden_pixels_reach_no_feature(depth: int) -> None:
    images, visible = masked()
    elsewhere = torch.where(on_grid_of(images, visible), images, torch.rand(images.shape, generator=generator(1)))
    first, second = (sparse_pyramid(encoder(depth), x, visible) for x in (images, elsewhere))
    for features, again in zip(first, second, strict=True):
        assert torch.equal(features, again)
        assert (features[~on_grid_of(features, visible).expand_as(features)] == 0).all() and features.any()


def test_visible_pixels_reach_the_features() -> None:
    images, visible = masked()
    first, second = (sparse_pyramid(encoder(), x, visible) for x in (images, images.flip(3)))
    assert not any(torch.equal(*pair) for pair in zip(first, second, strict=True))


def test_batch_statistics_are_those_of_visible_sites() -> None:
    torch.manual_seed(0)
    norm, (_, visible) = torch.nn.BatchNorm2d(5), masked(count=4)
    features = torch.randn(4, 5, 6, 6)
    seen = features.movedim(1, -1)[on_grid_of(features, visible).squeeze(1)]  # (sites, C)
    result = sparse_norm(norm, features, visible)
    assert torch.allclose(norm.running_mean, 0.1 * seen.mean(dim=0))
    assert torch.allclose(norm.running_var, 0.9 + 0.1 * seen.var(dim=0))
    normed = result.movedim(1, -1)[on_grid_of(features, visible).squeeze(1)]
    assert torch.allclose(normed, (seen - seen.mean(dim=0)) / seen.std(dim=0, correction=0), atol=1e-3)


def test_hidden_sites_are_filled_with_the_token() -> None:
    _, visible = masked()
    fill = Densify(5, 5, kernel=1)
    fill.lateral = torch.nn.Identity()
    features = torch.randn(2, 5, 3, 3) * visible
    filled = fill(features, visible).movedim(1, -1)
    assert torch.equal(filled[~visible.squeeze(1)], fill.token.flatten().expand(12, 5))
    known = sparse_norm(fill.norm, features, visible).movedim(1, -1)
    assert torch.equal(filled[visible.squeeze(1)], known[visible.squeeze(1)])
    assert 0 < fill.token.abs().max() <= 0.02


def test_decoder_takes_features_of_every_scale() -> None:
    decoder = Decoder(16, steps=3)
    pyramid = [torch.randn(2, 16, 2, 2, requires_grad=True), torch.randn(2, 8, 4, 4, requires_grad=True)]
    image = decoder(pyramid)
    assert image.shape == (2, 1, 16, 16)
    image.square().sum().backward()
    assert all(features.grad.any() for features in pyramid)


def test_published_number_of_parameters() -> None:
    def count(*parts: torch.nn.Module | torch.Tensor) -> int:
        return sum(w.numel() for part in parts for w in ([part] if isinstance(part, torch.Tensor) else part.parameters()))

    with torch.device("meta"):
        sizes = [(2048, 512, 1), (1024, 256, 3), (512, 128, 3), (256, 64, 3)]
        fills = [Densify(*size) for size in sizes]
        assert count(Decoder(512, steps=5)) == 10_304_913
    assert count(*(fill.lateral for fill in fills)) == 4_146_112
    assert count(*(fill.norm for fill in fills)) == 7_680
    assert count(*(fill.token for fill in fills)) == 3_840
