"""Mean of ranks among healthy voxels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from madad.methods.rank_mean import LEVELS, RankMean, quantiles, rank


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Scores(nn.Module):
    """A method whose map is a function of the image."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        return None

    def anomaly_map(self, volume: Tensor, reconstruction: None, brain: Tensor, generator: torch.Generator) -> Tensor:
        return self.function(volume[:, 0]) * brain


def fitted(*functions, ranks: str = "healthy") -> RankMean:
    parts = [Scores(function) for function in functions] + [None] * (5 - len(functions))
    roles = dict(zip(("first", "second", "third", "fourth", "fifth"), parts, strict=True))
    method = RankMean(**roles, ranks=ranks)
    brain = torch.ones(1, 1, 2, 20, 25, dtype=torch.bool)
    method.fit([{"image": torch.linspace(0, 1, 1000).view(1, 1, 2, 20, 25), "brain": brain}] * 2, generator())
    return method


def mapped(method: RankMean, volume: Tensor, brain: Tensor | None = None) -> Tensor:
    brain = torch.ones_like(volume[:, 0], dtype=torch.bool) if brain is None else brain
    return method.anomaly_map(volume, None, brain, generator())


def test_rank_is_the_share_of_healthy_voxels_with_a_smaller_score() -> None:
    reference = quantiles(torch.rand(5000, generator=generator()))
    scores = torch.tensor([-1.0, 0.1, 0.5, 0.9])
    assert torch.allclose(rank(scores, reference), torch.tensor([0.0, 0.1, 0.5, 0.9]), atol=0.02)
    assert rank(torch.tensor([3.0]), reference).item() == pytest.approx(3, abs=0.01), "beyond healthy scores it goes on"


def test_scores_with_ties_have_the_rank_of_the_last_of_them() -> None:
    reference = quantiles(torch.cat([torch.zeros(900), torch.ones(100)]))
    found = rank(torch.tensor([0.0, 0.5, 1.0]), reference)
    assert (
        found[0].item() == pytest.approx(0.9, abs=0.002)
        and found[2].item() == pytest.approx(1, abs=0.002)
        and found[0] <= found[1] <= found[2]
    )
    assert torch.isfinite(rank(torch.rand(10), torch.zeros(LEVELS))).all()


def test_quantiles_of_few_scores() -> None:
    assert torch.allclose(quantiles(torch.tensor([2.0, 0.0])), torch.linspace(0, 2, LEVELS), atol=1e-5)
    assert torch.equal(quantiles(torch.tensor([3.0])), torch.full((LEVELS,), 3.0))


def test_scale_of_a_method_does_not_matter() -> None:
    volume = torch.rand(2, 1, 6, 6, generator=generator())
    one = fitted(lambda x: x, lambda x: (x - 0.5).abs())
    other = fitted(lambda x: 1000 * x - 7, lambda x: (x - 0.5).abs())
    assert torch.allclose(mapped(one, volume), mapped(other, volume), atol=1e-3)


def test_map_is_the_mean_of_the_ranks() -> None:
    volume = torch.tensor([0.25, 0.75]).view(1, 1, 1, 2)
    assert torch.allclose(mapped(fitted(lambda x: x, lambda x: 1 - x), volume), torch.tensor([[[0.5, 0.5]]]), atol=2e-3)
    assert torch.allclose(mapped(fitted(lambda x: x, lambda x: x), volume), torch.tensor([[[0.25, 0.75]]]), atol=2e-3)
    three = fitted(lambda x: x, lambda x: x, lambda x: 1 - x)
    assert torch.allclose(mapped(three, volume), torch.tensor([[[1.25 / 3, 1.75 / 3]]]), atol=2e-3)


def test_ranks_within_a_subject_tell_nothing_of_its_scale() -> None:
    volume = torch.rand(1, 1, 8, 8, generator=generator())
    by_subject, by_healthy = (fitted(lambda x: x, lambda x: x, ranks=ranks) for ranks in ("subject", "healthy"))
    assert torch.allclose(mapped(by_subject, 3 * volume), mapped(by_subject, volume), atol=1e-3)
    assert (mapped(by_healthy, 3 * volume) > mapped(by_healthy, volume)).all()


def test_outside_the_brain_is_nothing() -> None:
    volume = torch.rand(1, 1, 4, 4)
    brain = torch.zeros(1, 4, 4, dtype=torch.bool)
    assert not mapped(fitted(lambda x: x + 1, lambda x: x), volume, brain).any()
    brain[0, 1, 1] = True
    assert (mapped(fitted(lambda x: x + 1, lambda x: x), volume, brain) != 0).sum() <= 1
