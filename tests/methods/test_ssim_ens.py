"""Structural dissimilarity of a reconstruction, ensembled over windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from madad.core.errors import UserError
from madad.methods.ssim_ens import WEIGHTINGS, SSIMEnsemble
from madad.models.diffusion.structural_similarity import dissimilarity, radius

SIGMAS = [0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Fixed(nn.Module):
    """A model that answers what it is given."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> Tensor:
        return self.answer


def case(slices: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    """Return volume (S, 1, H, W), reconstruction and brain (S, H, W)."""
    volume, reconstruction = (torch.rand(slices, 1, 14, 12, generator=generator(seed)) for seed in (1, 2))
    brain = torch.ones(slices, 14, 12, dtype=torch.bool)
    brain[:, 0] = False
    return volume, reconstruction, brain


def mapped(
    volume: Tensor, reconstruction: Tensor, brain: Tensor, sigmas: list[float] = SIGMAS, weighting: str = "softmax"
) -> Tensor:
    method = SSIMEnsemble(model=Fixed(reconstruction), sigmas=sigmas, weighting=weighting)
    return method.anomaly_map(volume, method.reconstruct(volume, generator()), brain, generator())


def test_windows_have_the_sides_of_the_released_code() -> None:
    assert [2 * radius(sigma) + 1 for sigma in SIGMAS] == [3, 5, 5, 7, 9, 11, 11, 13]


@pytest.mark.parametrize("sigma", SIGMAS)
def test_one_window_is_the_similarity_of_scikit_image(sigma: float) -> None:
    volume, reconstruction, brain = case()
    x, y = (image[:, 0].double().numpy() for image in (volume, reconstruction))
    margin = radius(sigma)
    padded = [np.pad(image, margin, mode="reflect") for image in (x, y)]
    options = {"gaussian_weights": True, "sigma": sigma, "use_sample_covariance": False, "full": True}
    _, similarity = structural_similarity(*padded, data_range=max(np.ptp(x), np.ptp(y)), **options)
    inner = similarity[margin:-margin, margin:-margin, margin:-margin]
    assert np.allclose(mapped(volume, reconstruction, brain, [sigma]), (1 - inner) * brain.numpy(), atol=1e-6)


def test_less_similar_windows_weigh_more() -> None:
    """Similarities 1 and -1 have the weights 0.1192 and 0.8808."""
    scales = 1 - torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    assert WEIGHTINGS["softmax"](scales).item() == pytest.approx(1.7616, abs=1e-4)
    assert (WEIGHTINGS["mean"](scales).item(), WEIGHTINGS["max"](scales).item()) == (1, 2)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_map_lies_between_the_windows(weighting: str) -> None:
    volume, reconstruction, brain = case()
    found = mapped(volume, reconstruction, brain, weighting=weighting)
    scales = torch.stack([dissimilarity(reconstruction[:, 0].double(), volume[:, 0].double(), sigma) for sigma in SIGMAS])
    assert ((found >= scales.amin(0).float() - 1e-6) & (found <= scales.amax(0).float() + 1e-6))[brain].all()
    assert (found[~brain] == 0).all()


@pytest.mark.parametrize("volume", [torch.rand(9, 1, 14, 12, generator=generator()), torch.full((9, 1, 14, 12), 0.4)])
def test_perfect_reconstruction_gives_an_empty_map(volume: Tensor) -> None:
    assert mapped(volume, volume.clone(), case()[2]).abs().max() < 1e-6


def test_scale_does_not_matter() -> None:
    volume, reconstruction, brain = case()
    assert torch.allclose(mapped(2 * volume, 2 * reconstruction, brain), mapped(volume, reconstruction, brain), atol=1e-6)


def test_draws_are_averaged() -> None:
    volume, reconstruction, brain = case()
    draws = torch.stack([reconstruction - 0.1, reconstruction + 0.1])
    assert torch.allclose(mapped(volume, draws, brain), mapped(volume, reconstruction, brain), atol=1e-6)


def test_a_single_slice_is_compared_in_2d_and_a_thin_volume_is_refused() -> None:
    volume, reconstruction, brain = case(slices=1)
    assert torch.isfinite(mapped(volume, reconstruction, brain)).all()
    thin = case(slices=6)
    with pytest.raises(UserError, match="every side must be longer than 6"):
        mapped(*thin)
