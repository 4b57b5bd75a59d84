"""Maps averaged over the healthy test subjects: where a method fails systematically."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from madad.core.provenance import complete
from madad.evaluation.metrics.ordinal_scores import HALF, ScoreCode, to_scores
from madad.evaluation.protocol.inputs import Grid

NAME = "mean_maps.npz"


class Healthy(NamedTuple):
    """What one healthy subject adds.

    Attributes:
        brain: (S, H, W) bool.
        ordinals: (V,) uint16, post-processed scores of the brain.
        residual: (V,) float32, |x̂ − x| in the brain, or None where the method makes no reconstruction.
    """

    brain: np.ndarray
    ordinals: np.ndarray
    residual: np.ndarray | None


class MeanMaps:
    """Sums over subjects, one added after the other."""

    def __init__(self, grid: Grid, code: ScoreCode = HALF) -> None:
        self._grid, self._code = grid, code
        self._number = 0
        self._brain = np.zeros(grid.shape, dtype=np.int64)
        self._sums = {"score": np.zeros(grid.shape)}

    def add(self, healthy: Healthy) -> None:
        """Take in a subject."""
        self._number += 1
        self._brain += healthy.brain
        self._sums["score"][healthy.brain] += to_scores(healthy.ordinals, self._code)
        if healthy.residual is not None:
            residual = self._sums.setdefault("residual", np.zeros(self._grid.shape))
            residual[healthy.brain] += healthy.residual

    def write(self, path: Path) -> None:
        """Write the means as arrays of an npz file without pickles.

        `score` and `residual` (S, H, W) float32 are means over the subjects whose brain is there, 0 where none is;
        `residual` is absent where nothing was reconstructed. `brain` (S, H, W) float32 is the share of subjects with brain
        there, `affine` (4, 4) that of the pack, `number` how many subjects.
        """
        means = {name: (total / np.maximum(self._brain, 1)).astype(np.float32) for name, total in self._sums.items()}
        share = (self._brain / max(self._number, 1)).astype(np.float32)
        with complete(path) as partial, open(partial, "wb") as stream:
            np.savez_compressed(stream, **means, brain=share, affine=self._grid.affine, number=self._number)
