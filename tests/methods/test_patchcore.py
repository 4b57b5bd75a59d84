"""PatchCore: the bank, its choice and the distances to it."""

from __future__ import annotations

import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import nn
from torch.nn import functional

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.patchcore import PatchCore
from madad.models.components.spark import SparK
from madad.models.networks.cell_features import CellFeatures, brain_cells, take
from madad.models.networks.nearest import nearest_distance, spread_out

SIDE = 64


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoder() -> SparK:
    torch.manual_seed(0)
    part = SparK(**cards.tiny("spark")["parameters"]).eval()
    for name, weight in part.named_parameters():
        if name.endswith("weight") and weight.ndim == 1:
            nn.init.ones_(weight)  # branches start at zero
    return part


def build(**changes: object) -> PatchCore:
    return PatchCore(encoder=encoder(), **{**cards.tiny("patchcore")["parameters"], **changes})


def slices(count: int = 4) -> list[dict[str, torch.Tensor]]:
    row, column = torch.meshgrid(torch.arange(SIDE) - 32.0, torch.arange(SIDE) - 32.0, indexing="ij")
    brain = ((row / 26) ** 2 + (column / 22) ** 2 < 1)[None, None]
    images = [
        brain * (0.5 + 0.2 * torch.sin(row / 5 + shift) * torch.cos(column / 6))
        for shift in torch.rand(count, generator=generator(7))
    ]
    return [{"image": image.float(), "brain": brain} for image in images]


def fitted(seed: int = 0, **changes: object) -> PatchCore:
    method = build(**changes)
    method.fit(slices(), generator(seed))
    return method


def test_centres_of_a_row_of_points() -> None:
    points = torch.arange(11.0)[:, None]
    first = next(s for s in range(100) if int(torch.randint(11, (), generator=generator(s))) == 0)
    assert spread_out(points, 3, generator(first)).tolist() == [0, 10, 5]
    radii = [nearest_distance(points, points[spread_out(points, n, generator())]).max() for n in range(1, 12)]
    assert radii == sorted(radii, reverse=True) and radii[-1] == 0
    assert spread_out(points, 50, generator()).sort().values.tolist() == list(range(11))


def test_distances_in_parts_are_those_of_brute_force_and_ignore_the_order() -> None:
    vectors, bank = torch.randn(2500, 5, generator=generator()), torch.randn(40, 5, generator=generator(1))
    expected = (vectors[:, None] - bank).square().sum(-1).sqrt().amin(1)
    assert torch.allclose(nearest_distance(vectors, bank), expected, atol=1e-5)
    assert torch.equal(nearest_distance(vectors, bank), nearest_distance(vectors, bank.flip(0)))


def test_map_is_that_of_an_independent_search_for_neighbours() -> None:
    """The search of scikit-learn over features gathered here by hand, in place of a comparison with another PatchCore."""
    method, batch = fitted(bank_candidates=10**6, bank_size=60, smoothing=0.0), slices()[2]
    image = batch["image"].clone()
    image[..., 20:30, 20:30] += 0.3
    pyramid = method.features.encoder.pyramid(functional.interpolate(image, scale_factor=2, mode="bilinear"))
    fine, coarse = (functional.avg_pool2d(pyramid[stage], 3, 1, 1) for stage in (1, 2))
    joined = torch.cat([fine, functional.interpolate(coarse, fine.shape[2:], mode="bilinear")], dim=1)[0]
    rows = (joined.flatten(1).T - method.features.mean) / method.features.sd
    distances, _ = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(method.bank.numpy()).kneighbors(rows.detach().numpy())
    found = method.anomaly_map(image, None, batch["brain"][:, 0], generator())[0]
    cells = torch.from_numpy(distances).view(fine.shape[2:]).float()
    inside = brain_cells(batch["brain"], cells.shape)[0].repeat_interleave(4, 0).repeat_interleave(4, 1) & batch["brain"][0, 0]
    expected = cells.repeat_interleave(4, 0).repeat_interleave(4, 1)
    assert torch.allclose(found[inside], expected[inside], atol=1e-3) and found.max() > 0.1


def test_wide_features_are_projected_without_changing_what_is_stored() -> None:
    vectors = torch.randn(30, 900, generator=generator())
    chosen = spread_out(vectors, 30, generator())
    assert sorted(chosen.tolist()) == list(range(30))


def test_every_cell_of_a_complete_bank_scores_nothing() -> None:
    method = fitted(bank_candidates=10**6, bank_size=10**6, smoothing=0.0)
    for batch in slices():
        found = method.anomaly_map(batch["image"], None, batch["brain"][:, 0], generator())
        assert found.max() < 1e-3


def test_features_of_healthy_cells_are_standardised() -> None:
    method = fitted()
    rows = torch.cat([take(method.features(b["image"]), brain_cells(b["brain"], (16, 16))) for b in slices()])
    assert torch.allclose(rows.mean(0), torch.zeros(rows.shape[1]), atol=1e-3)
    assert torch.allclose(rows.std(0), torch.ones(rows.shape[1]), atol=0.02)


def test_same_seed_same_bank_and_another_seed_another() -> None:
    assert torch.equal(fitted().bank, fitted().bank)
    assert not torch.equal(fitted().bank, fitted(seed=1).bank)
    assert fitted().bank.shape == (20, method_channels())


def method_channels() -> int:
    return sum(encoder().encoder.channels[1:3])


def test_a_bright_ball_outranks_the_brain() -> None:
    method = fitted(bank_candidates=10**6, bank_size=400, smoothing=0.0)
    batch = slices()[1]
    image, brain = batch["image"].clone(), batch["brain"][:, 0]
    image[..., 28:38, 28:38] = 1.5
    found = method.anomaly_map(image, None, brain, generator())
    assert found[0, 31:35, 31:35].min() > torch.quantile(found[brain], 0.9)
    assert found[0, 31:35, 31:35].mean() > 2 * found[brain].median()


def test_stages_that_the_encoder_lacks_are_refused() -> None:
    with pytest.raises(UserError, match=r"patchcore\.parameters\.stages"):
        build(stages=[2, 4])


def test_grid_follows_the_finest_stage_and_the_enlargement() -> None:
    for upsample, side in ((1, 8), (2, 16), (4, 32)):
        features = CellFeatures(encoder(), stages=[3, 2], window=3, upsample=upsample, method="m")
        assert features.raw(torch.rand(1, 1, SIDE, SIDE)).shape == (1, 48, side, side)
