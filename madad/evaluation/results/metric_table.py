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
        pooled: whether it is a number of the whole test set instead of one a sample.
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
    pooled: bool = False


_MEAN = "mean over test subjects with a lesion"
_PAPER = "all voxels, background included, as in the paper of the method"
# Steps of the post-processing, each alone; components need a binary mask, so that AUPRC has no such line.
_STEPS = {"none": "no post-processing", "erosion": "erosion alone", "median": "median alone", "components": "components alone"}
POST_PROCESSING = (
    *(
        Measure(f"auprc_{step}", "auprc", f"post_{step}", f"AUPRC, {words}", 1, f"average precision, {_MEAN}; {words}")
        for step, words in _STEPS.items()
        if step != "components"
    ),
    *(
        Measure(f"dice_{step}_{key}", "dice", f"post_{step}_{protocol}", f"Dice, {key}, {words}", 1, f"{_MEAN}; {words}")
        for key, protocol in (("validation", "validation"), ("oracle", "oracle_test"))
        for step, words in _STEPS.items()
    ),
)
_VALIDATION = "threshold with the best pooled Dice on validation subjects with lesions"
# Lesions as objects; `madad.evaluation.metrics.lesion_detection` and `madad.evaluation.metrics.surfaces` say what each means.
LESION_WISE = (
    # Neither alone ranks methods: one component over the whole brain covers every lesion and is no false positive.
    Measure(
        "lesion_sensitivity",
        "lesion_sensitivity",
        "validation",
        "Lesion sensitivity",
        0,
        f"share of lesions of which a tenth is found, {_MEAN}; {_VALIDATION}",
    ),
    Measure(
        "lesion_sensitivity_iou",
        "lesion_sensitivity_iou",
        "validation",
        "Lesion sensitivity, IoU",
        0,
        f"share of lesions with an intersection over union of at least a tenth, {_MEAN}; {_VALIDATION}",
    ),
    Measure(
        "lesion_precision",
        "lesion_precision",
        "validation",
        "Lesion precision",
        0,
        f"share of predicted components that touch a lesion, {_MEAN}; {_VALIDATION}",
    ),
    Measure(
        "false_positives",
        "false_positive_components",
        "validation",
        "FP/scan",
        0,
        f"predicted components that touch no lesion, mean over all test scans, healthy ones included; {_VALIDATION}",
    ),
    Measure(
        "lesion_f1",
        "lesion_f1",
        "validation",
        "Lesion F1",
        1,
        f"harmonic mean of lesion sensitivity by IoU and lesion precision, {_MEAN}; {_VALIDATION}",
    ),
    *(
        Measure(
            f"froc_{number:g}",
            "lesion_sensitivity",
            f"froc_{number:g}",
            f"FROC at {number:g}",
            1,
            f"share of all lesions of the test set found at the threshold with {number:g} false positives a scan",
            pooled=True,
        )
        for number in (0.5, 1, 2, 4, 8)
    ),
    Measure(
        "hd95",
        "hd95",
        "validation",
        "HD95",
        -1,
        f"95th percentile of surface distances, the image's diagonal when nothing is predicted, {_MEAN}; {_VALIDATION}",
        "mm",
    ),
    Measure(
        "nsd_2mm",
        "nsd_2mm",
        "validation",
        "NSD, 2 mm",
        1,
        f"share of the surfaces within 2 mm of each other, {_MEAN}; {_VALIDATION}",
    ),
    Measure(
        "volume_error_ml",
        "volume_error_ml",
        "validation",
        "Volume error",
        0,
        f"predicted minus true lesion volume, {_MEAN}; {_VALIDATION}",
        "ml",
    ),
)

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
        "dice_mean",
        "dice",
        "oracle_mean",
        "Dice, oracle of the mean",
        1,
        f"{_MEAN}; the common threshold with the best such mean on the test set itself",
    ),
    Measure(
        "dice_conformal",
        "dice",
        "conformal_fpr_1",
        "Dice, conformal",
        1,
        f"{_MEAN}; with 90 % probability at most 1 % of the voxels of a new healthy scan lie above",
    ),
    Measure(
        "dice_one_fp",
        "dice",
        "one_fp_per_scan",
        "Dice, one FP a scan",
        1,
        f"{_MEAN}; lowest threshold with on average one false-positive component or less on healthy validation scans",
    ),
    Measure(
        "dice_pooled",
        "dice_pooled",
        "oracle_test",
        "Dice, pooled oracle",
        1,
        "all voxels of all test subjects with a lesion as one; threshold with the best such Dice on the test set itself",
        pooled=True,
    ),
    Measure(
        "dice_slice",
        "dice_slice",
        "oracle_slice",
        "Dice, lesion slices",
        1,
        "mean over all test slices with a lesion; the common threshold with the best such mean on the test set itself",
        pooled=True,
    ),
    Measure("auprc_pooled", "auprc", "pooled", "AUPRC, pooled", 1, "brains of all samples with a lesion as one", pooled=True),
    Measure("auroc_pooled", "auroc", "pooled", "AUROC, pooled", 1, "brains of all samples with a lesion as one", pooled=True),
    *POST_PROCESSING,
    *LESION_WISE,
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
        "l1_lesion",
        "l1_lesion",
        "reconstruction",
        "l1 in lesions",
        0,
        "mean absolute error of the reconstruction inside lesions",
        digits=4,
        spread=False,
    ),
    Measure(
        "l1_healthy_tissue",
        "l1_healthy_tissue",
        "reconstruction",
        "l1 around lesions",
        0,
        "mean absolute error of the reconstruction in the healthy tissue of the same samples",
        digits=4,
        spread=False,
    ),
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
