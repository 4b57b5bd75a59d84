"""Maps are shown as they are scored, cut as in the tables, and say so when they show nothing."""

from __future__ import annotations

import numpy as np
import pytest

from madad.core.io.hdf5 import Maps, Pack
from madad.evaluation.results.long_table import read
from madad.reporting.galleries.cases import Case
from madad.reporting.galleries.scored_maps import EMPTY, FLAT, NOISE, ScoredMaps, remark
from tests.reporting.toy_results import OPTIONS

IDENTITY = {"cohort": "phantom", "modality": "FLAIR", "method": "ddpm", "seed": "0", "testset": "phantom"}


def test_what_lies_above_has_the_dice_of_the_long_table(toy) -> None:
    table = toy.made.evaluation("metrics.tsv", **IDENTITY)
    rows = [row for row in read(table) if (row["metric"], row["protocol"]) == ("dice", "validation")]
    assert rows
    with Maps(toy.made.evaluation("maps.h5", **IDENTITY)) as maps, Pack(toy.made.packs("phantom")[1]) as pack:
        scored = ScoredMaps.of(maps, table, OPTIONS)
        for row in rows:
            sample = pack.sample(pack.names.index(row["sample"]))
            shown = scored.shown(Case("only", row["sample"]), sample.brain)
            inside = (shown.scored != 0) | shown.above
            reference = sample.lesion & inside
            if sample.lesion.any():
                dice = 2 * (shown.above & reference).sum() / (shown.above.sum() + reference.sum())
                assert dice == pytest.approx(float(row["value"]), abs=0.03)
            assert scored.processed and shown.raw.shape == shown.scored.shape


def test_maps_that_show_nothing_say_so() -> None:
    inside = np.ones((2, 20, 20), dtype=bool)
    random = np.random.default_rng(0).random(inside.shape)
    ramp = np.broadcast_to(np.linspace(0, 1, 20), inside.shape)
    assert remark(np.zeros(inside.shape), inside) == EMPTY and remark(np.ones(inside.shape), inside) == FLAT
    assert remark(random, inside) == NOISE and remark(ramp, inside) == ""
    assert remark(random, np.zeros(inside.shape, dtype=bool)) == EMPTY
