"""The protocols of the long table: one row each. A protocol says how a map was cut, reduced or pooled to be measured.

To add a threshold, write the function that chooses it in `madad.evaluation.metrics.thresholds` and one row here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from madad.evaluation.metrics import subject_metrics, thresholds
from madad.evaluation.metrics.ordinal_scores import HALF, ScoreCode
from madad.evaluation.metrics.thresholds import Choice, Evidence

Kind = Literal["threshold", "subject score", "curve", "step", "slices", "other"]


@dataclass(frozen=True)
class Protocol:
    """One way of turning a map into numbers.

    Attributes:
        name: in the long table.
        title: added to the title of a metric.
        note: what exactly it is, without the metric.
        key: added to the name of a metric where the two together name a column.
        kind: what it does with a map.
        choose: the threshold from the evidence; None where there is none or it is chosen elsewhere.
        reduce: one score per subject from the scores of its brain (V,); None where there is none.
        oracle: whether it has seen the labels of the test set: a ceiling, never a result.
        transferred: whether its threshold is used for the corrupted copies of the test set.
        pooled: whether its numbers belong to the whole test set instead of to samples.
        ranks: whether methods are ranked by it.
    """

    name: str
    title: str
    note: str = ""
    key: str = ""
    kind: Kind = "other"
    choose: Callable[[Evidence], Choice] | None = None
    reduce: Callable[[np.ndarray], float] | None = None
    oracle: bool = False
    transferred: bool = False
    pooled: bool = False
    ranks: bool = True


PROTOCOLS: list[Protocol] = []


def register(protocol: Protocol) -> Protocol:
    """Add a row to `PROTOCOLS`.

    Raises:
        ValueError: there is a row of this name.
    """
    if any(protocol.name == other.name for other in PROTOCOLS):
        raise ValueError(f"the protocol {protocol.name} has a row already")
    PROTOCOLS.append(protocol)
    return protocol


def chosen() -> list[Protocol]:
    """Return the protocols with a threshold that is chosen for the whole test set."""
    return [protocol for protocol in PROTOCOLS if protocol.choose]


def choose(evidence: Evidence) -> dict[str, Choice]:
    """Return the threshold of every protocol of `chosen`, by name."""
    return {protocol.name: protocol.choose(evidence) for protocol in PROTOCOLS if protocol.choose}


def subject_scores(ordinals: np.ndarray, code: ScoreCode = HALF) -> dict[str, float]:
    """Return the score of one subject under every protocol that reduces a map to one; NaN without brain voxels.

    Args:
        ordinals: (V,) uint16, post-processed scores of the brain voxels.
    """
    reductions = {protocol.name: protocol.reduce for protocol in PROTOCOLS if protocol.reduce}
    if not ordinals.size:
        return dict.fromkeys(reductions, np.nan)
    scores = subject_metrics.score_values(ordinals, code)
    return {name: reduce(scores) for name, reduce in reductions.items()}


# One argument per line would make rows of ten lines.
# fmt: off
ORACLE_TEST = register(Protocol(
    "oracle_test", "oracle",
    "the common threshold with the best mean Dice of the subjects on the test set itself, small components removed",
    key="oracle", kind="threshold", choose=thresholds.oracle, oracle=True, transferred=True,
))
# Sees the test labels, but is a ceiling of pooled Dice alone: the mean of the subjects' Dice can be higher elsewhere.
POOLED_BEST = register(Protocol(
    "pooled_best", "best pooled threshold", "threshold with the best pooled Dice on the test set itself",
    key="pooled_best", kind="threshold", choose=thresholds.pooled_best, oracle=True,
))
VALIDATION = register(Protocol(
    "validation", "validation", "threshold with the best pooled Dice on validation subjects with lesions",
    key="validation", kind="threshold", choose=thresholds.validation, transferred=True,
))
HEALTHY_FPR_1 = register(Protocol(
    "healthy_fpr_1", "healthy FPR 1 %", "1 % of healthy validation voxels lie above the threshold",
    key="fpr_1", kind="threshold", choose=thresholds.healthy_rate(0.01), transferred=True,
))
HEALTHY_FPR_5 = register(Protocol(
    "healthy_fpr_5", "healthy FPR 5 %", "5 % of healthy validation voxels lie above the threshold",
    key="fpr_5", kind="threshold", choose=thresholds.healthy_rate(0.05),
))
CONFORMAL = register(Protocol(
    "conformal_fpr_1", "conformal",
    "with 90 % probability at most 1 % of the voxels of a new healthy scan lie above; needs 9 healthy validation subjects",
    key="conformal", kind="threshold", choose=thresholds.conformal_rate,
))
ONE_FALSE_POSITIVE = register(Protocol(
    "one_fp_per_scan", "one FP per scan",
    "lowest threshold with on average one false-positive component or less on healthy validation scans",
    key="one_fp", kind="threshold", choose=thresholds.one_false_positive, transferred=True,
))
# Thresholds that are no row of `chosen`: of each subject alone, of slices, of a paper.
ORACLE_SUBJECT = register(Protocol(
    "oracle_subject", "oracle per subject", "the best threshold of each subject alone",
    key="subject", kind="threshold", oracle=True,
))
ORACLE_SLICE = register(Protocol(
    "oracle_slice", "oracle of slices", "the common threshold with the best such mean on the test set itself",
    key="slice", kind="threshold", oracle=True,
))
PUBLISHED = register(Protocol(
    "published", "published protocol",
    "as in the paper of the method: its post-processing, its choice of voxels or slices, and its threshold",
    key="published", kind="threshold", ranks=False,
))
PER_SUBJECT = register(Protocol("per_subject", "per subject", "voxels inside the brain"))
POOLED = register(Protocol("pooled", "pooled", "brains of all samples with a lesion as one", key="pooled", pooled=True))
HEALTHY_BRAIN = register(Protocol("healthy_brain", "healthy brains", "inside healthy brains"))
RECONSTRUCTION = register(Protocol("reconstruction", "samples with a lesion"))
INFERENCE = register(Protocol("inference", "cost of a sample"))
FLAGGED_HEALTHY = register(Protocol("flagged_healthy", "healthy scans", key="healthy"))
FLAGGED_PATIENTS = register(Protocol("flagged_patients", "scans of patients", key="patients"))
VOLUMES = register(Protocol("volumes", "masks of a sample"))

MEAN = register(Protocol("mean", "mean of the brain", kind="subject score", reduce=subject_metrics.mean_score))
P99 = register(Protocol("p99", "99th percentile of the brain", kind="subject score", reduce=subject_metrics.percentile_99))
MAX = register(Protocol("max", "highest voxel", kind="subject score", reduce=subject_metrics.highest))
TOP100 = register(Protocol(
    "top100", "mean of the 100 highest voxels",
    kind="subject score", reduce=subject_metrics.mean_of_highest,
))
# One more needs a threshold.
VOLUME = register(Protocol("volume", "abnormal volume", "volume above the threshold of `healthy_fpr_1`", kind="subject score"))
# fmt: on


# False-positive components per scan at which the curve is read, as in the LUNA16 challenge.
FALSE_POSITIVES = (0.5, 1, 2, 4, 8)


def froc(number: float) -> Protocol:
    """Return the protocol with this number of false-positive components per scan."""
    note = f"at the threshold with {number:g} false positives per scan"
    return Protocol(f"froc_{number:g}", f"FROC at {number:g}", note, key=f"froc_{number:g}", kind="curve", pooled=True)


FROC = tuple(register(froc(number)) for number in FALSE_POSITIVES)
# Where the curve is drawn: eight points for each doubling.
FROC_DRAWN = tuple(float(number) for number in np.geomspace(0.125, 16, 57))


def froc_point(number: float) -> Protocol:
    """Return the protocol of the point of the drawn curve at a number of false positives per scan."""
    return Protocol(f"{FROC_POINT}{number:.6g}", "FROC", kind="curve", pooled=True)


# Steps of the published post-processing, each alone, and all of them; smoothing is none of them.
COMPONENTS, NO_STEP, CHAIN, SMOOTHED = "components", "none", "chain", "smoothed"
STEPS = {
    NO_STEP: "no post-processing",
    SMOOTHED: "smoothed by a Gaussian of 2 mm",
    "erosion": "erosion alone",
    "median": "median alone",
    COMPONENTS: "components alone",
    CHAIN: "published chain",
}


def after_step(step: str, protocol: Protocol | None = None) -> Protocol:
    """Return the protocol of a single step of the post-processing, with the threshold of another protocol or without one."""
    if protocol is None:
        return Protocol(f"post_{step}", STEPS[step], STEPS[step], key=step, kind="step")
    return Protocol(
        f"post_{step}_{protocol.name}",
        f"{protocol.title}, {STEPS[step]}",
        STEPS[step],
        key=f"{step}_{protocol.key}",
        kind="step",
        oracle=protocol.oracle,
    )


# Components need a binary mask, so that what has no threshold has no such row.
AFTER_STEPS = tuple(register(after_step(step)) for step in STEPS if step != COMPONENTS)
AFTER_STEPS_CUT = tuple(register(after_step(step, base)) for base in (VALIDATION, ORACLE_TEST) for step in STEPS)

# Slices that papers on 2D methods score alone, of test samples with a lesion; `evaluation.slices` names those that a run scores.
SLICES = {
    "mid_slice": "the middle axial slice",
    "middle_slices": "the axial slices 70 to 89 of 155",
    "largest_slice": "the axial slice with the largest lesion",
    "every_slice": "every axial slice that shows brain",
}
# Area of the lesion in a slice, mm²: above the first limit, up to the second. MAD-AD does not print its own; these are those of
# THOR (arXiv 2403.08464), pixels of 2 mm, whose table it continues.
STRATA = {"small": (12.0, 284.0), "medium": (284.0, 2280.0), "large": (2280.0, float("inf"))}
BACKGROUND = "background"


def slices(choice: str, part: str = "") -> Protocol:
    """Return the protocol of a choice of slices; `part` is a stratum, or `BACKGROUND` for all voxels instead of the brain's."""
    words = {"": "", BACKGROUND: ", all voxels, background included"}.get(part, f", if its lesion is {part}")
    name = f"{choice}_{part}" if part else choice
    title = f"{choice.replace('_', ' ')}{f', {part}' if part else ''}"
    note = f"of {SLICES[choice]}{words}; thresholds are the best on the test set itself"
    return Protocol(name, title, note, key=name, kind="slices", oracle=True, pooled=True)


SLICES_CUT = tuple(register(slices(choice)) for choice in SLICES)
SLICES_WHOLE = tuple(register(slices(choice, BACKGROUND)) for choice in SLICES)
SLICES_STRATA = tuple(register(slices(choice, stratum)) for choice in SLICES for stratum in STRATA)

# Curves have a protocol per point: these names, and the place of the point.
RECALL_POINT, SCORE_POINT, FROC_POINT = "pooled_recall_", "pooled_score_", "froc_point_"
