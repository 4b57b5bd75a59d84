"""Sums of curves over subjects, where a subject counts once however many samples it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass
class SubjectCurves:
    """Sums over subjects of each subject's mean over its samples; only unfinished subjects are kept apart.

    Attributes:
        expected: how many samples of each subject will be given to `add`.
        totals: the sum of the finished subjects, by the name of the curve.
    """

    expected: Counter[str] = field(default_factory=Counter)
    totals: dict[str, np.ndarray] = field(default_factory=dict)
    _seen: Counter[str] = field(default_factory=Counter)
    _open: dict[str, list[Mapping[str, np.ndarray]]] = field(default_factory=dict)

    def add(self, subject: str, curves: Mapping[str, np.ndarray]) -> None:
        """Add the curves of a sample; none for one that has no lesion, which counts in no mean."""
        self._seen[subject] += 1
        if curves:
            self._open.setdefault(subject, []).append(curves)
        if self._seen[subject] < self.expected[subject]:
            return
        samples = self._open.pop(subject, [])
        for sample in samples:
            for name, curve in sample.items():
                self.totals[name] = self.totals.get(name, 0.0) + curve / len(samples)
