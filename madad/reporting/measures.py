"""What the tables and figures show of the long table: one row a measure, in the order of the columns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A metric under a protocol.

    Attributes:
        key: name of its column in files.
        metric, protocol: where it is in the long table.
        title: how people call it; says the protocol.
        unit: empty for shares.
        better: 1 when larger is better, −1 when smaller is, 0 when nobody wins by it.
        note: what exactly it is, for tooltips and captions.
        digits: decimals shown.
        spread: whether tables show its interval.
    """

    key: str
    metric: str
    protocol: str
    title: str
    better: int
    note: str
    unit: str = ""
    digits: int = 3
    spread: bool = True


_MEAN = "mean over test subjects with a lesion"
_PAPER = "all voxels, background included, as in the paper of the method"

MEASURES = (
    Measure("auprc", "auprc", "per_subject", "AUPRC", 1, f"average precision inside the brain, {_MEAN}"),
    Measure("auroc", "auroc", "per_subject", "AUROC", 1, f"area under the ROC curve inside the brain, {_MEAN}"),
    Measure(
        "dice_oracle",
        "dice",
        "oracle_test",
        "Dice, oracle",
        1,
        f"{_MEAN}; threshold with the best pooled Dice on the test set itself",
    ),
    Measure(
        "dice_validation",
        "dice",
        "validation",
        "Dice, validation",
        1,
        f"{_MEAN}; threshold with the best pooled Dice on validation subjects with lesions",
    ),
    Measure(
        "dice_fpr_1", "dice", "healthy_fpr_1", "Dice, healthy FPR 1 %", 1, f"{_MEAN}; 1 % of healthy validation voxels lie above"
    ),
    Measure(
        "dice_fpr_5", "dice", "healthy_fpr_5", "Dice, healthy FPR 5 %", 1, f"{_MEAN}; 5 % of healthy validation voxels lie above"
    ),
    Measure(
        "dice_subject",
        "dice",
        "oracle_subject",
        "Dice, oracle per subject",
        1,
        f"{_MEAN}; the best threshold of each subject alone",
    ),
    Measure(
        "l1",
        "l1",
        "healthy_brain",
        "Healthy l1",
        0,
        "mean absolute error of the reconstruction inside healthy brains",
        digits=4,
        spread=False,
    ),
    Measure("psnr", "psnr", "healthy_brain", "Healthy PSNR", 0, "peak signal-to-noise ratio inside healthy brains", "dB"),
    Measure("ssim", "ssim", "healthy_brain", "Healthy SSIM", 0, "structural similarity inside healthy brains"),
    Measure(
        "dice_published",
        "dice",
        "published",
        "Dice, published protocol",
        0,
        f"{_MEAN}; {_PAPER}; threshold from validation subjects with lesions by halving intervals",
    ),
    Measure("auprc_published", "auprc", "published", "AUPRC, published protocol", 0, f"average precision, {_MEAN}; {_PAPER}"),
    Measure(
        "l1_published",
        "l1",
        "published",
        "Healthy l1, published protocol",
        0,
        f"mean absolute error of the reconstruction of healthy volumes; {_PAPER}",
        digits=4,
        spread=False,
    ),
    Measure(
        "seconds",
        "seconds",
        "inference",
        "Time",
        0,
        "wall time of reconstruction and map, mean over test subjects",
        "s/volume",
        spread=False,
    ),
    Measure(
        "peak_memory_mb",
        "peak_memory_mb",
        "inference",
        "Peak memory",
        0,
        "largest memory in use meanwhile, mean over test subjects",
        "MB",
        spread=False,
    ),
)
BY_KEY = {measure.key: measure for measure in MEASURES}
