"""What a row of the table of metrics says, and what a metric under a protocol is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from madad.evaluation.metrics.empty_masks import OURS, Convention, Empty
from madad.evaluation.results.protocol_table import Protocol

# What the function of a metric takes:
#   ranking         counts (2, bins) of `madad.evaluation.metrics.ordinal_scores.count`
#   voxels          `madad.evaluation.metrics.voxel_metrics.Confusion`, under every threshold
#   lesions         `madad.evaluation.metrics.lesion_detection.LesionCounts`, under every threshold
#   surfaces        `madad.evaluation.metrics.surfaces.SurfaceDistances`, under every threshold
#   reconstruction  `madad.evaluation.metrics.reconstruction.Reconstruction`
#   subjects        `madad.evaluation.metrics.subject_metrics.SubjectScores`
#   other           nothing: the number is made where its name is used
Family = Literal["ranking", "voxels", "lesions", "surfaces", "reconstruction", "subjects", "other"]
THRESHOLDED: tuple[Family, ...] = ("voxels", "lesions", "surfaces")
Groups = Literal["patients", "healthy", "both"]
OVER_SUBJECTS = "mean over test subjects with a lesion"


@dataclass(frozen=True)
class Metric:
    """One row of the table.

    Attributes:
        name: in the long table.
        family: what `function` takes.
        function: that computes it; None in the family `other`.
        title: in tables and figures.
        note: what exactly it is.
        groups: samples that have it; "patients" are all that are not healthy.
        empty: its values for empty masks; every metric with a threshold declares them.
        better: 1 when larger is better, −1 when smaller is, 0 when methods are not ranked by it.
        unit: empty for shares.
        scale: of its values, for their intervals: a share of 0 … 1, a number above 0, or any number.
        digits: decimals shown.
        interval: whether tables show its interval.
        averaged: what its mean is taken over, in words.
        pooled: whether it is a number of the whole test set instead of one per sample.
        resampled: whether the number of the whole test set has bounds, as `<name>_low` and `<name>_high`.
        summarised: protocols under which the summary shows it.
        column: its name in the summary; empty for `name`.
        main: whether the first of `summarised` is left out of the names of columns.
    """

    name: str
    family: Family
    function: Callable[[Any], Any] | None
    title: str
    note: str
    groups: Groups = "patients"
    empty: Empty | None = None
    better: Literal[-1, 0, 1] = 0
    unit: str = ""
    scale: Literal["share", "positive", "real"] = "share"
    digits: int = 3
    interval: bool = True
    averaged: str = OVER_SUBJECTS
    pooled: bool = False
    resampled: bool = False
    summarised: tuple[Protocol, ...] = ()
    column: str = ""
    main: bool = True

    def __matmul__(self, protocol: Protocol) -> Measure:
        """Return this metric under a protocol."""
        own = self.main and protocol in self.summarised[:1]
        key, title = self.column or self.name, self.title
        pooled = self.pooled or protocol.pooled
        what = ", ".join(part for part in (self.note, "" if pooled else self.averaged) if part)
        return Measure(
            metric=self,
            protocol=protocol,
            key=key if own or not protocol.key else f"{key}_{protocol.key}",
            title=title if own or not protocol.key else f"{title}, {protocol.title}",
            note="; ".join(part for part in (what, protocol.note) if part),
            better=self.better if protocol.ranks else 0,
            pooled=pooled,
        )

    def belongs_to(self, healthy: bool) -> bool:
        """Return whether healthy samples, or the others, have this metric."""
        return self.groups in ("both", "healthy" if healthy else "patients")

    def value(
        self, argument: Any, prediction_empty: bool = False, reference_empty: bool = False, convention: Convention = OURS
    ) -> float:
        """Return the metric of one argument of its family, or the declared value where a mask is empty.

        Raises:
            TypeError: the metric has no function.
        """
        empty = convention.values.get(self.name, self.empty)
        declared = empty.value(prediction_empty, reference_empty) if empty else None
        if declared is not None:
            return declared
        return float(self.values(argument))

    def values(self, arguments: Any) -> Any:
        """Return the metric of many arguments at once, for a function that takes arrays with an axis more.

        Raises:
            TypeError: the metric has no function.
        """
        if self.function is None:
            raise TypeError(f"{self.name} has no function")
        return self.function(arguments)

    def bound(self, end: Literal["low", "high"]) -> Metric:
        """Return the lower or the upper bound of a metric that is `resampled`."""
        return replace(self, name=f"{self.name}_{end}", function=None, summarised=())


@dataclass(frozen=True)
class Measure:
    """A metric under a protocol: one column of a table.

    Attributes:
        metric: what is measured.
        protocol: how the map was cut.
        key: name of its column in files.
        title: what tables and figures call it.
        note: what exactly it is, for tooltips and captions.
        better: as in `Metric`; 0 under a protocol that does not rank.
        pooled: whether it is a number of the whole test set instead of one per sample.
    """

    metric: Metric
    protocol: Protocol
    key: str
    title: str
    note: str
    better: Literal[-1, 0, 1]
    pooled: bool
