"""Normalisation of intensities: float32 from 0 to 1 inside the brain, exactly 0 outside; above 1 where the whole scale is wanted.

Every method is a monotone map of one image's values, described by a model that JSON can hold. Whatever is learned from several
images is learned only from the training split. Landmarks are percentiles, so that a lesion, which is a small part of a brain,
hardly moves them.

The Nyúl landmarks are computed here and not by the package `intensity-normalization`, which holds every image in memory at
once, extrapolates beyond the outermost landmarks and keeps its model in a private attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from madad.core.errors import SubjectError, UserError
from madad.core.intensity_scale import HIGHEST, LOWEST

METHODS = ("percentile", "nyul", "histogram_matching", "zscore", "equalisation", "maximum", "median")
# Landmarks between the outer percentiles (Nyúl et al. 2000, table 1).
DECILES = tuple(range(10, 100, 10))
# Quantiles that describe a reference histogram.
QUANTILES = 101
# Standard scores that are mapped to 0 and 1.
ZSCORE_RANGE = (-3.0, 3.0)
# Robust standard scores that are mapped to 0 and 1: cerebrospinal fluid is darker than tissue, FLAIR lesions far brighter.
MEDIAN_RANGE = (-3.0, 7.0)
# From the median absolute deviation to the standard deviation of a normal distribution.
TO_DEVIATION = 1.4826
# Enough that two visibly different voxels fall into different bins, even when one vessel is far brighter than the rest.
EQUALISATION_BINS = 4096

Pair = tuple[np.ndarray, np.ndarray]
Model = dict


def fit(
    method: str, images: Iterable[Pair], lower: float = 1.0, upper: float = 99.0, reference: np.ndarray | None = None
) -> Model:
    """Learn the model of a method.

    Args:
        method: one of `METHODS`.
        images: pairs (image, brain mask) of the training split, any shapes; read one at a time, and only by "nyul" and
            by "histogram_matching" without a reference.
        lower: percentile of the brain that is mapped to 0.
        upper: percentile of the brain that is mapped to 1; "maximum" uses only this one.
        reference: (N,) intensities to match, for "histogram_matching"; if None, the mean histogram of the images.

    Returns:
        a dict that JSON can hold, with `method`, `lower`, `upper` and what was learned.

    Raises:
        UserError: unknown method, impossible percentiles, or too few images.
    """
    if method not in METHODS:
        raise UserError(f"intensity.method: {method!r} is unknown; choose one of {', '.join(METHODS)}")
    if not 0 <= lower < upper <= 100:
        raise UserError(f"intensity.lower and upper: {lower:g} and {upper:g} must be percentiles, and lower must be below upper")
    model: Model = {"method": method, "lower": float(lower), "upper": float(upper)}
    if method == "nyul":
        percentiles = [lower, *(d for d in DECILES if lower < d < upper), upper]
        return {
            **model,
            "percentiles": [float(p) for p in percentiles],
            "scale": _mean_landmarks(images, percentiles, at_least=2),
        }
    if method == "histogram_matching":
        percentiles = np.linspace(lower, upper, QUANTILES)
        pairs = images if reference is None else [(reference, np.ones(reference.shape, dtype=bool))]
        return {**model, "scale": _mean_landmarks(pairs, percentiles, at_least=1)}
    return model


def apply(model: Model, image: np.ndarray, brain: np.ndarray, *, whole: bool = False) -> np.ndarray:
    """Normalise one image.

    Args:
        model: from `fit`.
        image: intensities, any shape.
        brain: mask of the same shape.
        whole: keep what is above 1, as packs do (`madad.core.intensity_scale`). Beyond their last landmark "nyul" and
            "histogram_matching" go on with the mean slope between the first and the last; "equalisation" ends at 1.

    Returns:
        float32 of the same shape, in [0, 1] (with `whole` in [0, ∞)) inside the brain and 0 outside.

    Raises:
        SubjectError: the brain has no voxel, or all have the same value.
    """
    inside = np.asarray(brain) > 0
    values = _values(image, inside)
    result = np.zeros(image.shape, dtype=np.float32)
    result[inside] = np.clip(_APPLY[model["method"]](model, values), LOWEST, None if whole else HIGHEST)
    return result


def _percentile(model: Model, values: np.ndarray) -> np.ndarray:
    """Map the outer percentiles to 0 and 1, linearly between."""
    low, high = _outer(values, model)
    return (values - low) / (high - low)


def _nyul(model: Model, values: np.ndarray) -> np.ndarray:
    """Map the landmarks to the standard scale, linearly between (Nyúl et al. 2000, doi:10.1109/42.836373)."""
    return _piecewise(values, model["percentiles"], model["scale"])


def _histogram_matching(model: Model, values: np.ndarray) -> np.ndarray:
    """Map the quantiles to those of the reference (Gonzalez and Woods, Digital Image Processing, section 3.3)."""
    return _piecewise(values, np.linspace(model["lower"], model["upper"], len(model["scale"])), model["scale"])


def _zscore(model: Model, values: np.ndarray) -> np.ndarray:
    """Map standard scores in `ZSCORE_RANGE` to 0 and 1, with mean and deviation of the values between the percentiles."""
    low, high = _outer(values, model)
    core = values[(values >= low) & (values <= high)]
    spread = max(float(core.std()), 1e-6 * (high - low))
    return ((values - float(core.mean())) / spread - ZSCORE_RANGE[0]) / (ZSCORE_RANGE[1] - ZSCORE_RANGE[0])


def _equalisation(model: Model, values: np.ndarray) -> np.ndarray:
    """Map every value to the part of the brain that is darker (Meissen et al. 2021, doi:10.1007/978-3-031-08999-2_5)."""
    from skimage import exposure  # slow to import

    return exposure.equalize_hist(values, nbins=EQUALISATION_BINS)


def _maximum(model: Model, values: np.ndarray) -> np.ndarray:
    """Map the upper percentile to 1 and 0 to 0, so that the background of a stripped image stays 0.

    At 99 this is the scale of denoising autoencoders (Kascenas et al. 2022, https://openreview.net/forum?id=Bm8-t_ggzPD), at 100
    the range of a whole stripped volume (Frotscher et al. 2025, arXiv:2512.01534).
    """
    high = np.percentile(values, model["upper"])
    high = high if high > 0 else values.max()
    if high <= 0:
        raise SubjectError("the brain holds no value above 0; intensity.method maximum needs some")
    return values / high


def _median(model: Model, values: np.ndarray) -> np.ndarray:
    """Map robust standard scores in `MEDIAN_RANGE` to 0 and 1, with median and median absolute deviation of the brain.

    Half of the voxels would have to be lesion to move either (Rousseeuw & Croux 1993, doi:10.1080/01621459.1993.10476408), while
    the 99th percentile is the lesion itself as soon as that takes a hundredth of the brain.
    """
    centre = float(np.median(values))
    low, high = _outer(values, model)
    spread = max(TO_DEVIATION * float(np.median(np.abs(values - centre))), 1e-6 * (high - low))
    return ((values - centre) / spread - MEDIAN_RANGE[0]) / (MEDIAN_RANGE[1] - MEDIAN_RANGE[0])


_APPLY: dict[str, Callable[[Model, np.ndarray], np.ndarray]] = {
    "percentile": _percentile,
    "nyul": _nyul,
    "histogram_matching": _histogram_matching,
    "zscore": _zscore,
    "equalisation": _equalisation,
    "maximum": _maximum,
    "median": _median,
}


def _mean_landmarks(images: Iterable[Pair], percentiles: Iterable[float], at_least: int) -> list[float]:
    """Return the mean position of the percentiles when the outermost ones are mapped to 0 and 1 in every image."""
    found = []
    for image, brain in images:
        landmarks = np.percentile(_values(image, np.asarray(brain) > 0), list(percentiles))
        if landmarks[0] == landmarks[-1]:
            raise SubjectError("an image of the training split has no contrast between the outer percentiles; leave it out")
        found.append((landmarks - landmarks[0]) / (landmarks[-1] - landmarks[0]))
    if len(found) < at_least:
        raise UserError(
            f"intensity.method: landmarks need at least {at_least} images of the training split, {len(found)} found; "
            "enlarge the split or choose percentile"
        )
    return [float(value) for value in np.mean(found, axis=0)]


def _values(image: np.ndarray, inside: np.ndarray) -> np.ndarray:
    values = np.asarray(image)[inside].astype(np.float64)
    if values.size == 0 or values.min() == values.max():
        raise SubjectError(f"the brain holds {values.size} voxels of one value; there is nothing to normalise")
    return values


def _outer(values: np.ndarray, model: Model) -> tuple[float, float]:
    low, high = np.percentile(values, (model["lower"], model["upper"]))
    return (low, high) if low < high else (values.min(), values.max())


def _piecewise(values: np.ndarray, percentiles: Iterable[float], scale: list[float]) -> np.ndarray:
    """Map values linearly between landmarks; below the first the result is constant, above the last it has the mean slope."""
    landmarks, index = np.unique(np.percentile(values, list(percentiles)), return_index=True)
    ends = np.asarray(scale)[index]
    span = landmarks[-1] - landmarks[0]
    beyond = np.maximum(values - landmarks[-1], 0)
    return np.interp(values, landmarks, ends) + (beyond * (ends[-1] - ends[0]) / span if span > 0 else 0)
