"""Everything that a script or a notebook needs of madad; nothing deeper is promised to stay as it is.

Importing this module loads neither torch nor ANTs; `load`, `preprocess` and `implant` load what they need when they are called.
Images are NIfTI files or images of nibabel, and come back as images of nibabel. docs/how-to/library.md shows how they are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from madad.core.errors import SubjectError, UserError
from madad.core.provenance import version

if TYPE_CHECKING:
    import nibabel as nib
    import numpy as np

    from madad.detection.detector import Detector
    from madad.detection.preparation import Image

__all__ = [
    "Preprocessed",
    "SubjectError",
    "UserError",
    "__version__",
    "average_precision",
    "cohorts",
    "implant",
    "load",
    "methods",
    "preprocess",
    "score",
]

__version__ = version()


class Preprocessed(NamedTuple):
    """A scan in template space.

    Attributes:
        image: float32 in [0, 1], 0 outside the brain.
        brain: uint8.
        to_scan: (4, 4), points of the template to points of the scan, RAS+ mm.
        measures: brain volume, similarity to the template and the like, text by name.
    """

    image: nib.Nifti1Image
    brain: nib.Nifti1Image
    to_scan: np.ndarray
    measures: dict[str, str]


def load(model: str | Path, device: str = "auto") -> Detector:
    """Return the detector in a model file; `detector(scan)` returns a `Result`.

    Args:
        model: file of `madad model export`, or the name of a model that comes with madad, such as atlas_z.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        UserError: the file is damaged, or made for another version of madad.
    """
    from madad.detection.detector import load as load_detector

    return load_detector(model, device)


def preprocess(
    image: Image,
    *,
    modality: str = "T1w",
    skull_strip: str = "auto",
    brain: Image | None = None,
    intensity: str = "percentile",
    **pipeline: Any,
) -> Preprocessed:
    """Return a scan in template space, as the pipeline of madad makes it.

    Args:
        image: a head or a brain, on any grid.
        modality: its sequence.
        skull_strip: auto, template, bet, hd-bet, synthstrip, given (needs `brain`) or none.
        brain: brain mask on the grid of the image.
        intensity: a normalisation that learns nothing from other images: percentile, zscore, equalisation or maximum.
        pipeline: options of a pipeline, such as spacing_mm, registration or bias_field; see docs/how-to/preprocessing.md.

    Raises:
        SubjectError: the scan cannot be used.
        UserError: an option does not exist or has a wrong value.
    """
    from madad.configuration.data_options import Pipeline
    from madad.configuration.validation import validated
    from madad.core import intensity_scale
    from madad.data.preprocessing.steps import intensity as intensities
    from madad.detection.preparation import prepare
    from madad.detection.result import nifti

    if intensity in ("nyul", "histogram_matching"):
        raise UserError(f"intensity: '{intensity}' learns from other images; choose percentile, zscore, equalisation or maximum")
    chain = validated(Pipeline, pipeline)
    options = {**chain.model_dump(), "skull_strip": "template"}
    model = intensities.fit(intensity, [], chain.intensity.lower, chain.intensity.upper)
    made = prepare(image, modality, options, model, skull_strip=skull_strip, brain=brain)
    inside = made.image.with_array(made.brain.astype("uint8"))
    seen = made.image.with_array(intensity_scale.seen(made.image.array))
    return Preprocessed(nifti(seen), nifti(inside), made.to_scan, dict(made.measures))


def score(
    anomaly_map: np.ndarray,
    reference: np.ndarray,
    brain: np.ndarray,
    spacing_mm: Sequence[float],
    threshold: float | None = None,
) -> dict[str, float]:
    """Return what one anomaly map says of one reference mask, within the brain.

    Args:
        anomaly_map: 3D, larger where more abnormal, on any scale.
        reference: 3D, above 0 inside lesions; empty for a healthy subject.
        brain: 3D, above 0 inside the brain; nothing else is scored.
        spacing_mm: edges of a voxel along the three axes, mm.
        threshold: voxels above it are predicted; None for the measures that need none.

    Returns:
        `auprc`, `auroc`, `dice_best` and `prevalence`; with a threshold also `dice`, `sensitivity`, `precision`,
        `false_positive_rate`, `hd95` and `nsd_2mm` (mm), `lesion_sensitivity`, `false_positive_components`, `lesions`,
        `predicted_ml` and `lesion_ml`. NaN where a measure has no meaning.

    Raises:
        UserError: the arrays have different shapes, are not 3D, or the map is not finite in the brain.
    """
    from madad.detection import scoring

    return scoring.score(anomaly_map, reference, brain, spacing_mm, threshold)


def average_precision(reference: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the precision-recall curve as average precision; NaN without a lesion voxel.

    Source: Davis & Goadrich 2006 (doi:10.1145/1143844.1143874).

    Args:
        reference: True inside a lesion, any shape.
        scores: of the same shape, larger where more abnormal, on any scale.
    """
    from madad.detection import scoring

    return scoring.average_precision(reference, scores)


def implant(
    image: nib.Nifti1Image,
    brain: nib.Nifti1Image,
    *,
    volume_ml: float = 5.0,
    contrast: float = 0.3,
    sign: int = 0,
    site: str = "anywhere",
    seed: int = 0,
    lesion_masks: str | Path | None = None,
) -> tuple[nib.Nifti1Image, nib.Nifti1Image]:
    """Return a healthy image with a synthetic lesion (docs/explanation/fluid.md), and its exact mask.

    Args:
        image: in ICBM152 space, in [0, 1] and 0 outside the brain, as `preprocess` returns it.
        brain: brain mask on the same grid.
        volume_ml: volume of the lesion, ml.
        contrast: mean change of intensity, in the units of the image.
        sign: 1 for a brighter lesion, -1 for a darker one, 0 for what lesions of the image's sequence are.
        site: anywhere, cortical, white_matter, deep_grey or infratentorial.
        seed: of its shape and place.
        lesion_masks: folder of real masks (NIfTI, MNI space) to take shapes from; None for random shapes.

    Raises:
        UserError: the images do not fit each other or the template, an option has a wrong value, or there is no room.
    """
    from madad.detection.implanting import implant as implant_one

    recipe = {"volume_ml": volume_ml, "contrast": contrast, "sign": sign, "site": site}
    return implant_one(image, brain, recipe, seed, lesion_masks)


def methods() -> dict[str, str]:
    """Return the title of every method, by the name that a configuration uses."""
    from madad.configuration import cards

    return {name: str(cards.load(name)["title"]) for name in cards.names()}


def cohorts() -> dict[str, str]:
    """Return the title of every kind of cohort that can be read, by the name that a configuration uses."""
    from madad.configuration import cohort_cards

    return {kind: str(cohort_cards.card(kind)["title"]) for kind in cohort_cards.kinds()}
