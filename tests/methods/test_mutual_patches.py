"""Patches against the same place in healthy brains."""

from __future__ import annotations

import pytest
import torch

from madad.configuration import cards
from madad.core.errors import UserError
from madad.methods.mutual_patches import MutualPatches, matched
from madad.models.networks.tokens import Tokens, averaged, brain_tokens

SHAPE = (12, 24, 20)
PARAMETERS = {**cards.tiny("mutual_patches")["parameters"], "share": 0.3}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def brain() -> torch.Tensor:
    mask = torch.zeros(SHAPE, dtype=torch.bool)
    mask[:, 4:20, 4:16] = True
    return mask


def volumes(count: int) -> list[dict[str, torch.Tensor]]:
    base = torch.rand(SHAPE, generator=generator(9))
    images = [(base + 0.1 * torch.rand(SHAPE, generator=generator(index))) * brain() for index in range(count)]
    return [{"image": image[None, None], "brain": brain()[None, None]} for image in images]


def fitted(count: int = 8, **changes: object) -> MutualPatches:
    parameters = {**PARAMETERS, "references": count, **changes}
    method = MutualPatches(encoder=None, **parameters)
    method.fit(volumes(count), generator())
    return method


def mapped(method: MutualPatches, volume: torch.Tensor) -> torch.Tensor:
    return method.anomaly_map(volume, None, brain(), generator())


def test_tokens_are_the_cubes() -> None:
    volume = torch.rand(*SHAPE, generator=generator()).unsqueeze(1)
    tokens = Tokens(None, 64)(volume)
    assert tokens.shape == (64, 3, 6, 5)
    assert torch.equal(tokens[:, 1, 2, 3], volume[4:8, 0, 8:12, 12:16].flatten())
    assert Tokens(None, 64)(volume[:1]).shape == (16, 1, 6, 5), "a single slice has squares"
    assert Tokens(None, 64)(torch.rand(5, 1, 6, 9)).shape == (64, 2, 2, 3), "filled up with background"


def test_cubes_are_of_the_brain_where_half_of_them_is() -> None:
    mask = torch.zeros(4, 4, 8, dtype=torch.bool)
    mask[:2, :, :4] = True
    mask[:1, :, 4:] = True
    assert brain_tokens(mask).tolist() == [[[True, False]]]


def test_neighbourhoods_have_nothing_beyond_the_border() -> None:
    tokens = torch.ones(1, 1, 1, 4, 4)
    found = averaged(tokens, 3)[0, 0, 0]
    assert found[1, 1] == 1 and found[0, 0] == pytest.approx(4 / 9) and torch.equal(averaged(tokens, 1), tokens)


@pytest.mark.parametrize("window", [0, 1, 2, -1])
def test_nearest_within_a_window_by_brute_force(window: int) -> None:
    tokens, bank = torch.randn(3, 2, 5, 4, generator=generator()), torch.randn(2, 3, 2, 5, 4, generator=generator(1))
    found, cells = matched(tokens, bank, window), [(s, h, w) for s in range(2) for h in range(5) for w in range(4)]
    for reference in range(2):
        for v in cells:
            near = [n for n in cells if window < 0 or max(abs(a - b) for a, b in zip(n, v, strict=True)) <= window]
            expected = min((tokens[(slice(None), *v)] - bank[(reference, slice(None), *n)]).norm().item() for n in near)
            assert found[(reference, *v)].item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("references", "number"), [(30, 9), (4, 1), (3, 1)])
def test_closest_third_of_the_references(references: int, number: int) -> None:
    """Equal references but for `number` identical ones: the score is 0 with them and not with one fewer."""
    tokens = torch.randn(5, 1, 3, 3, generator=generator())
    method = MutualPatches(encoder=None, **{**PARAMETERS, "window": 0})
    bank = torch.randn(references, 5, 1, 3, 3, generator=generator(1)) + 50
    bank[:number] = tokens
    assert method.score(tokens, bank).max() == 0
    bank[0] += 50
    assert method.score(tokens, bank).min() > 1


def test_a_reference_has_a_perfect_match_in_itself() -> None:
    method = fitted(3)
    assert mapped(method, volumes(1)[0]["image"][0].transpose(0, 1)).max() < 1e-5


def test_lesion_stands_out() -> None:
    method = fitted()
    volume = volumes(9)[8]["image"][0].transpose(0, 1).clone()
    healthy = mapped(method, volume)
    volume[4:8, :, 8:12, 8:12] += 0.6
    found = mapped(method, volume)
    assert found[5:7, 9:11, 9:11].min() > 2 * healthy[brain()].max()
    assert (found[~brain()] == 0).all()


def test_map_is_the_same_after_another_subject() -> None:
    method, one, two = fitted(), *(batch["image"][0].transpose(0, 1) for batch in volumes(10)[8:])
    alone = mapped(method, one)
    mapped(method, two)
    assert torch.equal(mapped(method, one), alone)


def test_calibration_evens_out_places_where_healthy_brains_differ() -> None:
    data = volumes(8)
    for index, batch in enumerate(data):
        batch["image"][..., 4:12, 4:8] *= 0.2 + 0.2 * index
    method = MutualPatches(encoder=None, **{**PARAMETERS, "references": 7, "calibrated": True})
    method.fit(data[:7], generator())
    plain = MutualPatches(encoder=None, **{**PARAMETERS, "references": 7})
    plain.fit(data[:7], generator())
    ratios = []
    for each in (plain, method):
        found = mapped(each, data[7]["image"][0].transpose(0, 1))
        ratios.append((found[:, 5:11, 5:8].mean() / found[brain()].mean()).item())
    assert ratios[0] > 1.5 and torch.isfinite(torch.tensor(ratios)).all()
    usual = method._usual()
    assert usual[0].shape == (3, 6, 5) and (usual[1] > 0).all()


def test_another_grid_is_refused() -> None:
    with pytest.raises(UserError, match="another grid"):
        fitted(3).anomaly_map(torch.rand(12, 1, 40, 40), None, torch.ones(12, 40, 40, dtype=torch.bool), generator())
