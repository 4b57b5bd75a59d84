"""The metrics of the long table: one row each, in the order of the rows that are written.

To add a metric, write its function in `madad.evaluation.metrics` and one row here: the evaluation computes it, the summary shows
it under the protocols of `summarised`, and `python -m madad stage metrics --out docs/reference/evaluation.md` lists it there.
"""

from __future__ import annotations

from madad.evaluation.metrics import lesion_detection, reconstruction, subject_metrics, surfaces, thresholds, voxel_metrics
from madad.evaluation.metrics.empty_masks import FARTHEST, FORMULA, PENALISED, UNDEFINED_WITHOUT_LESION, WORST
from madad.evaluation.results.metric import THRESHOLDED, Family, Metric
from madad.evaluation.results.protocol_table import (
    AFTER_STEPS,
    AFTER_STEPS_CUT,
    CONFORMAL,
    FLAGGED_HEALTHY,
    FLAGGED_PATIENTS,
    HEALTHY_BRAIN,
    HEALTHY_FPR_1,
    HEALTHY_FPR_5,
    INFERENCE,
    ONE_FALSE_POSITIVE,
    ORACLE_SLICE,
    ORACLE_SUBJECT,
    ORACLE_TEST,
    PER_SUBJECT,
    POOLED,
    POOLED_BEST,
    PUBLISHED,
    RECONSTRUCTION,
    SLICES_CUT,
    SLICES_STRATA,
    SLICES_WHOLE,
    VALIDATION,
    VOLUMES,
    chosen,
)

METRICS: list[Metric] = []


def register(metric: Metric) -> Metric:
    """Add a row to `METRICS`.

    Raises:
        ValueError: there is a row of this name, or a metric with a threshold does not say what it is for empty masks.
    """
    if any(metric.name == other.name for other in METRICS):
        raise ValueError(f"the metric {metric.name} has a row already")
    if metric.family in THRESHOLDED and metric.empty is None:
        raise ValueError(f"the metric {metric.name} has a threshold, but no values for empty masks")
    METRICS.append(metric)
    return metric


def of_family(*families: Family) -> list[Metric]:
    """Return the metrics of some families, in the order of the table."""
    return [metric for metric in METRICS if metric.family in families]


# One argument per line would make rows of ten lines.
# fmt: off
AUPRC = register(Metric(
    "auprc", "ranking", voxel_metrics.average_precision, "AUPRC", "average precision",
    better=1, resampled=True, summarised=(PER_SUBJECT, POOLED, *AFTER_STEPS, PUBLISHED, *SLICES_CUT, *SLICES_WHOLE),
))
AUROC = register(Metric(
    "auroc", "ranking", voxel_metrics.auroc, "AUROC", "area under the ROC curve",
    better=1, resampled=True, summarised=(PER_SUBJECT, POOLED),
))
PAUROC_5 = register(Metric(
    "pauroc_5", "ranking", voxel_metrics.partial_auroc, "Partial AUROC",
    "area under the ROC curve up to a false-positive rate of 5 %, standardised so that 0.5 is chance",
    better=1,
))
PREVALENCE = register(Metric(
    "prevalence", "ranking", voxel_metrics.prevalence, "Prevalence", "share of lesion voxels: the AUPRC of guessing",
))
DICE = register(Metric(
    "dice", "voxels", voxel_metrics.dice, "Dice", "overlap 2 TP / (2 TP + FP + FN)",
    empty=WORST, better=1, main=False,
    summarised=(
        ORACLE_TEST, VALIDATION, HEALTHY_FPR_1, HEALTHY_FPR_5, ORACLE_SUBJECT, POOLED_BEST, CONFORMAL, ONE_FALSE_POSITIVE,
        *AFTER_STEPS_CUT, PUBLISHED,
    ),
))
PRECISION = register(Metric(
    "precision", "voxels", voxel_metrics.precision, "Precision", "share of predicted voxels in a lesion",
    empty=WORST,
))
SENSITIVITY = register(Metric(
    "sensitivity", "voxels", voxel_metrics.sensitivity, "Sensitivity", "share of lesion voxels that are predicted",
    empty=UNDEFINED_WITHOUT_LESION,
))
FALSE_POSITIVE_RATE = register(Metric(
    "false_positive_rate", "voxels", voxel_metrics.false_positive_rate, "FPR", "share of healthy voxels that are predicted",
    groups="both", empty=FORMULA,
))
VOLUME_ERROR_ML = register(Metric(
    "volume_error_ml", "voxels", voxel_metrics.volume_error_ml, "Volume error", "predicted minus true lesion volume",
    empty=FORMULA, unit="ml", summarised=(VALIDATION,),
    scale="real",
))
LESIONS = register(Metric(
    "lesions", "lesions", lesion_detection.lesions, "Lesions", "number of lesions that count",
    empty=FORMULA,
    scale="positive",
))
# Neither this nor the number of false positives ranks methods: one component over the whole brain covers every lesion.
LESION_SENSITIVITY = register(Metric(
    "lesion_sensitivity", "lesions", lesion_detection.lesion_sensitivity, "Lesion sensitivity",
    "share of lesions of which a tenth is found",
    empty=UNDEFINED_WITHOUT_LESION, summarised=(VALIDATION,),
))
LESION_SENSITIVITY_IOU = register(Metric(
    "lesion_sensitivity_iou", "lesions", lesion_detection.lesion_sensitivity_iou, "Lesion sensitivity, IoU",
    "share of lesions matched to a predicted component, one to one, at an IoU of at least 0.1",
    empty=UNDEFINED_WITHOUT_LESION, resampled=True, summarised=(VALIDATION,),
))
LESION_PRECISION = register(Metric(
    "lesion_precision", "lesions", lesion_detection.lesion_precision, "Lesion precision",
    "share of predicted components matched to a lesion, one to one, at an IoU of at least 0.1",
    empty=WORST, summarised=(VALIDATION,),
))
LESION_F1 = register(Metric(
    "lesion_f1", "lesions", lesion_detection.lesion_f1, "Lesion F1",
    "2 TP / (2 TP + FP + FN) of lesions and components matched one to one at an IoU of at least 0.1",
    empty=WORST, better=1, summarised=(VALIDATION,),
))
FALSE_POSITIVE_COMPONENTS = register(Metric(
    "false_positive_components", "lesions", lesion_detection.false_positive_components, "FP/scan",
    "predicted components without a lesion of their own at an IoU of at least 0.1",
    groups="both", empty=FORMULA, averaged="mean over all test scans, healthy ones included", summarised=(VALIDATION,),
    column="false_positives",
    scale="positive",
))
FALSE_POSITIVE_ML = register(Metric(
    "false_positive_ml", "voxels", voxel_metrics.false_positive_ml, "False-positive volume", "volume of the false positives",
    groups="healthy", empty=FORMULA, unit="ml",
    scale="positive",
))
HD95 = register(Metric(
    "hd95", "surfaces", surfaces.hd95, "HD95",
    "95th percentile of surface distances",
    empty=FARTHEST, better=-1, unit="mm", summarised=(VALIDATION,),
    scale="positive",
))
HD95_PENALTY = register(Metric(
    "hd95_penalty", "surfaces", surfaces.hd95_penalty, "HD95, penalties",
    "share of samples where nothing is predicted, so that HD95 is the diagonal of the brain's bounding box",
    empty=PENALISED, summarised=(VALIDATION,), interval=False,
))
NSD_2MM = register(Metric(
    "nsd_2mm", "surfaces", surfaces.nsd_2mm, "NSD, 2 mm", "share of the area of both surfaces within 2 mm of the other",
    empty=WORST, better=1, summarised=(VALIDATION,),
))
DICE_POOLED = register(Metric(
    "dice_pooled", "other", None, "Dice, pooled oracle", "all voxels of all test subjects with a lesion as one",
    better=1, pooled=True, summarised=(POOLED_BEST, *SLICES_CUT, *SLICES_STRATA),
))
DICE_SLICE = register(Metric(
    "dice_slice", "other", None, "Dice, lesion slices", "mean over all test slices with a lesion",
    better=1, pooled=True, summarised=(ORACLE_SLICE, *SLICES_CUT),
))
L1 = register(Metric(
    "l1", "reconstruction", reconstruction.l1, "Healthy l1", "mean absolute error of the reconstruction",
    groups="healthy", digits=4, interval=False, averaged="", summarised=(HEALTHY_BRAIN, PUBLISHED),
    scale="positive",
))
PSNR = register(Metric(
    "psnr", "reconstruction", reconstruction.psnr, "Healthy PSNR", "peak signal-to-noise ratio of the reconstruction",
    groups="healthy", unit="dB", averaged="", summarised=(HEALTHY_BRAIN,),
    scale="positive",
))
SSIM = register(Metric(
    "ssim", "reconstruction", reconstruction.ssim, "Healthy SSIM", "structural similarity of the reconstruction",
    groups="healthy", averaged="", summarised=(HEALTHY_BRAIN,),
    scale="real",
))
L1_LESION = register(Metric(
    "l1_lesion", "reconstruction", reconstruction.l1_lesion, "l1 in lesions",
    "mean absolute error of the reconstruction inside lesions",
    digits=4, interval=False, averaged="", summarised=(RECONSTRUCTION,),
    scale="positive",
))
L1_HEALTHY_TISSUE = register(Metric(
    "l1_healthy_tissue", "reconstruction", reconstruction.l1_healthy_tissue, "l1 around lesions",
    "mean absolute error of the reconstruction in the healthy tissue of the same samples",
    digits=4, interval=False, averaged="", summarised=(RECONSTRUCTION,),
    scale="positive",
))
SUBJECT_SCORE = register(Metric(
    "subject_score", "other", None, "Subject score", "one number per sample from the scores of its brain",
    groups="both",
    scale="real",
))
SUBJECT_AUROC = register(Metric(
    "subject_auroc", "subjects", subject_metrics.subject_auroc, "AUROC",
    "area under the ROC curve, healthy subjects against those with a lesion",
    groups="both", better=1, pooled=True, resampled=True,
))
SUBJECT_AP = register(Metric(
    "subject_ap", "subjects", subject_metrics.subject_ap, "AP", "average precision of finding the subjects with a lesion",
    groups="both", better=1, pooled=True,
))
SUBJECT_SENSITIVITY_90 = register(Metric(
    "subject_sensitivity_90", "subjects", subject_metrics.subject_sensitivity_90, "Sensitivity at 90 %",
    "share of subjects with a lesion found where 90 % of the healthy ones are passed",
    groups="both", better=1, pooled=True,
))
SUBJECT_SENSITIVITY_95 = register(Metric(
    "subject_sensitivity_95", "subjects", subject_metrics.subject_sensitivity_95, "Sensitivity at 95 %",
    "share of subjects with a lesion found where 95 % of the healthy ones are passed",
    groups="both", better=1, pooled=True,
))
BRAIN_ML = register(Metric(
    "brain_ml", "other", None, "Brain volume", "volume of the brain mask", groups="both", unit="ml", scale="positive",
))
LESION_ML = register(Metric(
    "lesion_ml", "other", None, "Lesion volume", "volume of the lesions inside the brain",
    groups="both", unit="ml",
    scale="positive",
))
UNMARKED = register(Metric(
    "unmarked", "other", None, "Scans without a reference mask",
    "test scans of patients whose lesions were not drawn, and of people of an unknown group",
    groups="both", pooled=True, interval=False, digits=0, summarised=(VOLUMES,),
))
SHARED_VALIDATION = register(Metric(
    "shared_validation", "other", None, "Validation subjects shared",
    "healthy validation subjects that are too few for parts, and serve checkpoint, thresholds and calibration alike; else 0",
    groups="both", pooled=True, interval=False, digits=0, summarised=(VOLUMES,),
))
NO_VALUE = register(Metric(
    "no_value", "other", None, "Why there is no value",
    f"0: there is one; {'; '.join(f'{place}: {words}' for place, words in enumerate(thresholds.REASONS, start=1))}",
    groups="both", pooled=True, interval=False, digits=0, main=False,
    summarised=(*chosen(), PUBLISHED, POOLED),
))
SECONDS = register(Metric(
    "seconds", "other", None, "Time", "wall time of reconstruction and map",
    groups="both", unit="s/volume", interval=False, averaged="mean over test subjects", summarised=(INFERENCE,),
    scale="positive",
))
PEAK_MEMORY_MB = register(Metric(
    "peak_memory_mb", "other", None, "Peak memory", "largest memory in use meanwhile",
    groups="both", unit="MB", interval=False, averaged="mean over test subjects", summarised=(INFERENCE,),
    scale="positive",
))
FLAGGED_SHARE = register(Metric(
    "flagged_share", "other", None, "Flagged share",
    "share of the brain that the method takes for abnormal and changes, of methods that decide about it before they restore",
    groups="both", averaged="mean over test subjects", summarised=(FLAGGED_HEALTHY, FLAGGED_PATIENTS), main=False,
))
THRESHOLD = register(Metric(
    "threshold", "other", None, "Threshold", "score above which a voxel is called abnormal",
    groups="both", pooled=True,
    scale="real",
))
FROC_SENSITIVITY = register(Metric(
    "froc_sensitivity", "other", None, "FROC, sensitivity", "share of all lesions matched at one point of the curve",
    pooled=True, resampled=True,
))
PRECISION_AT_RECALL = register(Metric(
    "precision_at_recall", "other", None, "Precision at a recall",
    "highest precision that reaches a recall, pooled over samples with a lesion",
    pooled=True,
))
VOXEL_SHARE_HEALTHY = register(Metric(
    "voxel_share_healthy", "other", None, "Healthy scores",
    "share of the healthy voxels with a score, pooled over samples with a lesion",
    pooled=True,
))
VOXEL_SHARE_LESION = register(Metric(
    "voxel_share_lesion", "other", None, "Lesion scores",
    "share of the lesion voxels with a score, pooled over samples with a lesion",
    pooled=True,
))
