"""What is seen of maps while they are made, so that a method that marks nothing does not look like one that works."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from madad.core.logs import say, warn


class Observations:
    """Numbers of every scan, by group."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        """Begin without a scan.

        Args:
            reasons: by the name of an observed number, what it means that it is 0 in every scan.
        """
        self._reasons, self._scans, self._empty = reasons, 0, 0
        self._by_name: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, group: str, anomaly_map: np.ndarray, observed: Mapping[str, float]) -> None:
        """Take in one scan.

        Args:
            group: of the subject, such as healthy or patient.
            anomaly_map: (S, H, W).
            observed: numbers that the method reports about it, by name.
        """
        self._scans += 1
        self._empty += not anomaly_map.any()
        for name, value in observed.items():
            self._by_name[name][group].append(value)

    def tell(self) -> None:
        """Say the mean of every number by group, and warn where the maps hold nothing."""
        for name, groups in self._by_name.items():
            means = ", ".join(f"{np.mean(values):.4g} in {len(values)} {group} scans" for group, values in sorted(groups.items()))
            say(f"{name}: {means}")
            if not any(value for values in groups.values() for value in values):
                warn(f"{name} is 0 in every scan: {self._reasons.get(name, 'the method does nothing')}")
        if self._empty:
            warn(
                f"the map of {self._empty} of {self._scans} scans is 0 everywhere: nothing is marked there, and an AUPRC is the "
                "prevalence of lesions"
            )
