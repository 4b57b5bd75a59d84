"""Mahalanobis distance among drawn reconstructions as anomaly map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics.regression import compute_ssim_and_cs
from scipy import ndimage
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods import registry
from madad.methods.mhd import MHD, RESIDUALS, diagonal_covariance, full_covariance, to_unit_range
from madad.models.diffusion.structural_similarity import smoothed

SLICES, SIDE, DRAWS = 7, 16, 5
dissimilarity = RESIDUALS["ssim"]
RIDGE = 1e-2


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Noisy(nn.Module):
    """A model whose draws are the volume and noise."""

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        return volume + 0.05 * torch.randn(volume.shape, generator=generator)


def mhd(model: nn.Module | None = None, **changed: object) -> MHD:
    return MHD(model=model or Noisy(), **{"draws": DRAWS, "ridge": RIDGE, "covariance": "full", "residual": "ssim", **changed})


def head() -> tuple[Tensor, Tensor]:
    """Volume (S, 1, H, W) and brain (S, H, W); the first slice is empty."""
    brain = torch.zeros(SLICES, SIDE, SIDE, dtype=torch.bool)
    brain[1:, 3:13, 4:12] = True
    return (torch.rand(brain.shape, generator=generator(1)) * 0.4 + 0.3).mul(brain).unsqueeze(1), brain


def map_of(method: MHD, volume: Tensor, draws: Tensor, brain: Tensor) -> Tensor:
    return method.anomaly_map(volume, draws, brain, generator())


def sample(voxels: int = 60) -> tuple[Tensor, Tensor]:
    """d (M,) and centred draws (N, M)."""
    drawn = 0.2 * torch.randn(DRAWS, voxels, generator=generator(2), dtype=torch.float64)
    return torch.randn(voxels, generator=generator(3), dtype=torch.float64), drawn - drawn.mean(0)


def dense_inverse(centred: Tensor) -> Tensor:
    covariance = centred.T @ centred / (len(centred) - 1)
    return torch.linalg.inv(covariance + RIDGE * torch.eye(centred.shape[1], dtype=centred.dtype))


def test_woodbury_equals_the_dense_inverse() -> None:
    d, centred = sample()
    expected = d * (dense_inverse(centred) @ d)
    assert expected.min() < 0  # so that the sign is not lost on the way
    assert torch.allclose(full_covariance(d, centred, RIDGE), expected, rtol=1e-5, atol=1e-8)


def test_voxels_share_out_the_squared_mahalanobis_distance() -> None:
    d, centred = sample()
    assert full_covariance(d, centred, RIDGE).sum().item() == pytest.approx((d @ dense_inverse(centred) @ d).item(), rel=1e-9)


def test_diagonal_is_the_full_form_of_voxels_that_do_not_vary_together() -> None:
    d, centred = sample(voxels=1)
    assert torch.allclose(diagonal_covariance(d, centred, RIDGE), full_covariance(d, centred, RIDGE))
    assert diagonal_covariance(d, centred, RIDGE).item() == pytest.approx(d.item() ** 2 / (centred.var().item() + RIDGE))


def test_what_the_draws_have_in_common_is_removed() -> None:
    pattern = torch.randn(400, generator=generator(4), dtype=torch.float64)
    lesion = torch.zeros(400, dtype=torch.float64)
    lesion[:20] = 0.5
    strengths = torch.linspace(-1, 1, DRAWS, dtype=torch.float64)
    d, centred = lesion + 0.7 * pattern, strengths[:, None] * pattern
    contrasts = []
    for squared in (full_covariance(d, centred, RIDGE), diagonal_covariance(d, centred, RIDGE)):
        distance = squared.clamp(min=0).sqrt()
        contrasts.append((distance[:20].mean() / distance[20:].mean()).item())
    assert contrasts[0] > 10 > 3 > contrasts[1]


def test_weight_follows_the_definition_slice_by_slice() -> None:
    volume, brain = head()
    draws = mhd().reconstruct(volume, generator())
    x, drawn = volume[:, 0].double(), draws[:, :, 0].double()
    distance = torch.zeros_like(x)
    for index in range(1, SLICES):
        inside = brain[index]
        centred = drawn[:, index, inside] - drawn[:, index, inside].mean(0)
        d = x[index, inside] - drawn[:, index, inside].mean(0)
        distance[index, inside] = (d * (dense_inverse(centred) @ d)).clamp(min=0).sqrt()
    unit = (distance - distance.min()) / (distance.max() - distance.min())
    weight = ndimage.gaussian_filter(unit.numpy(), 1)
    expected = dissimilarity(drawn.mean(0), x) * torch.from_numpy(weight) * brain
    found = map_of(mhd(), volume, draws, brain)
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected.float(), rtol=1e-5, atol=1e-7)


def test_slices_are_judged_apart() -> None:
    """The paper's window is one slice: beyond the reach of the smoothing another slice matters to the scale alone."""
    brain = torch.ones(14, SIDE, SIDE, dtype=torch.bool)
    volume = torch.rand(14, 1, SIDE, SIDE, generator=generator(1))
    draws = mhd().reconstruct(volume, generator())
    changed = draws.clone()
    changed[:, 1] += 0.3 * torch.randn(DRAWS, 1, SIDE, SIDE, generator=generator(5))
    one, other = (map_of(mhd(residual="l1"), volume, drawn, brain) for drawn in (draws, changed))
    ratio = one[10:] / other[10:]
    assert ratio.mean() > 1.1
    assert torch.allclose(ratio, ratio.mean(), rtol=1e-3)
    assert not torch.allclose(one[1], ratio.mean() * other[1], rtol=1e-1)


def test_similarity_equals_scikit_image_with_a_window_of_nine_voxels() -> None:
    mean, x = (torch.rand(7, 12, 10, generator=generator(seed), dtype=torch.float64) * 0.8 for seed in (6, 7))
    largest = max(float(volume.max() - volume.min()) for volume in (mean, x))
    padded = [np.pad(volume.numpy(), 4, mode="reflect") for volume in (mean, x)]
    options = {"gaussian_weights": True, "sigma": 1.0, "use_sample_covariance": False, "data_range": largest, "full": True}
    _, similarity = structural_similarity(*padded, **options)
    assert np.allclose(dissimilarity(mean, x), 1 - similarity[4:-4, 4:-4, 4:-4], atol=1e-9)
    tensors = [torch.from_numpy(volume)[None, None] for volume in padded]
    similarity, _ = compute_ssim_and_cs(*tensors, 3, kernel_size=(9, 9, 9), kernel_sigma=(1, 1, 1), data_range=largest)
    assert torch.allclose(1 - dissimilarity(mean, x), similarity[0, 0].double(), atol=1e-4)


def test_a_single_slice_is_compared_in_2d() -> None:
    mean, x = (torch.rand(1, 12, 10, generator=generator(seed), dtype=torch.float64) * 0.8 for seed in (6, 7))
    largest = max(float(volume.max() - volume.min()) for volume in (mean, x))
    padded = [np.pad(volume[0].numpy(), 4, mode="reflect") for volume in (mean, x)]
    options = {"gaussian_weights": True, "sigma": 1.0, "use_sample_covariance": False, "data_range": largest, "full": True}
    _, similarity = structural_similarity(*padded, **options)
    assert np.allclose(dissimilarity(mean, x)[0], 1 - similarity[4:-4, 4:-4], atol=1e-9)
    brain = torch.ones(1, 12, 10, dtype=torch.bool)
    draws = torch.rand(DRAWS, 1, 1, 12, 10, generator=generator(8))
    assert map_of(mhd(), x.float()[:, None], draws, brain).shape == brain.shape
    with pytest.raises(UserError, match="every side must be longer than 4"):
        map_of(mhd(), x.float().expand(3, 12, 10)[:, None], draws.expand(DRAWS, 3, 1, 12, 10), brain.expand(3, 12, 10))


def test_window_is_nine_voxels_wide() -> None:
    impulse = torch.zeros(19, 19, 19, dtype=torch.float64)
    impulse[9, 9, 9] = 1
    assert (smoothed(impulse, 1.0) > 0).sum() == 9**3
    assert smoothed(impulse, 1.0).sum().item() == pytest.approx(1)
    similar = dissimilarity(impulse, torch.zeros_like(impulse)) == 0
    assert (~similar).sum() == 9**3


def test_constant_volume_scales_to_nothing() -> None:
    assert torch.equal(to_unit_range(torch.full((2, 3, 3), 0.7)), torch.zeros(2, 3, 3))


@pytest.mark.parametrize("covariance", ["full", "diagonal", "mean"])
@pytest.mark.parametrize("residual", ["ssim", "l1", "l2"])
class TestEveryForm:
    """Whatever is multiplied with whatever."""

    def test_lesion_stands_out(self, covariance: str, residual: str) -> None:
        healthy, brain = head()
        volume = healthy.clone()
        volume[3:5, :, 6:9, 6:9] += 0.4
        draws = mhd().reconstruct(healthy, generator())
        found = map_of(mhd(covariance=covariance, residual=residual), volume, draws, brain)
        lesion = torch.zeros_like(brain)
        lesion[3:5, 6:9, 6:9] = True
        assert found.min() >= 0
        assert found[lesion].mean() > 3 * found[brain & ~lesion].mean()

    def test_perfect_reconstruction_gives_an_empty_map(self, covariance: str, residual: str) -> None:
        volume, brain = head()
        draws = volume.expand(DRAWS, *volume.shape)
        assert not map_of(mhd(covariance=covariance, residual=residual), volume, draws, brain).any()

    def test_no_brain_gives_an_empty_map(self, covariance: str, residual: str) -> None:
        volume, brain = torch.zeros(SLICES, 1, SIDE, SIDE), torch.zeros(SLICES, SIDE, SIDE, dtype=torch.bool)
        draws = torch.full((DRAWS, *volume.shape), 0.5)
        assert not map_of(mhd(covariance=covariance, residual=residual), volume, draws, brain).any()

    def test_empty_volume_is_finite(self, covariance: str, residual: str) -> None:
        volume, brain = torch.zeros(SLICES, 1, SIDE, SIDE), torch.ones(SLICES, SIDE, SIDE, dtype=torch.bool)
        draws = torch.zeros(DRAWS, *volume.shape)
        assert torch.isfinite(map_of(mhd(covariance=covariance, residual=residual), volume, draws, brain)).all()


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_weights_do_not_tell_how_far_a_volume_is_from_its_draws(covariance: str) -> None:
    volume, brain = head()
    draws = mhd().reconstruct(volume, generator())[:, :, 0].double()
    mean, method = draws.mean(0), mhd(covariance=covariance)
    far, near = (method._weight(mean + factor * (volume[:, 0] - mean), draws, brain) for factor in (1.0, 0.1))
    assert far.max() > 0.2 and torch.allclose(near, far, atol=1e-9)


def test_mean_form_is_the_residual_of_the_mean() -> None:
    volume, brain = head()
    draws = mhd().reconstruct(volume, generator())
    expected = (volume - draws.mean(0)).abs()[:, 0] * brain
    assert torch.allclose(map_of(mhd(covariance="mean", residual="l1"), volume, draws, brain), expected, atol=1e-6)


def test_channels_are_averaged() -> None:
    volume, brain = head()
    draws = mhd().reconstruct(volume, generator())
    twice = map_of(mhd(), volume.repeat(1, 2, 1, 1), draws.repeat(1, 1, 2, 1, 1), brain)
    assert torch.allclose(twice, map_of(mhd(), volume, draws, brain))


def test_every_draw_has_noise_of_its_own() -> None:
    volume, _ = head()
    draws = mhd().reconstruct(volume, generator())
    assert draws.shape == (DRAWS, *volume.shape)
    assert len({draw.sum().item() for draw in draws}) == DRAWS
    assert torch.equal(draws, mhd().reconstruct(volume, generator()))


def test_model_that_draws_several_itself_gives_them_all() -> None:
    volume, _ = head()
    assert mhd(model=mhd(draws=3), draws=2).reconstruct(volume, generator()).shape == (6, *volume.shape)


def test_map_needs_the_draws() -> None:
    volume, brain = head()
    with pytest.raises(ValueError, match="drawn reconstructions"):
        mhd().anomaly_map(volume, None, brain, generator())


def test_one_draw_has_no_covariance_and_is_refused() -> None:
    with pytest.raises(UserError, match=r"mhd\.parameters\.draws: 1 is less than the minimum of 2"):
        cards.resolve("mhd", {"draws": 1}, {}, None)


def test_any_stochastic_method_serves_however_its_slices_are_passed() -> None:
    volume, brain = torch.rand(SLICES, 1, 32, 32, generator=generator(1)), torch.ones(SLICES, 32, 32, dtype=torch.bool)
    parameters, maps = cards.tiny("ddpm")["parameters"], []
    for size in (2, 64):
        model = registry.build("ddpm", {**parameters, "slices_per_pass": size}, 0).eval()
        torch.manual_seed(0)
        for weight in model.parameters():  # the network starts at zero and would not see its noise
            nn.init.normal_(weight, std=0.05)
        method, source = mhd(model), generator()
        with torch.no_grad():
            maps.append(method.anomaly_map(volume, method.reconstruct(volume, source), brain, source))
    assert torch.allclose(*maps, atol=1e-5)
    assert maps[0].any()
