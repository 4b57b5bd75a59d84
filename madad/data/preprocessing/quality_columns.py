"""Names of the measures and files of every preprocessed image, without the libraries that compute them."""

from __future__ import annotations

from madad.core.io.manifest import COLUMNS as MANIFEST_COLUMNS

PERCENTILES = (1, 25, 50, 75, 99)
MEASURES = (
    "brain_volume_ml",
    "registration_nmi",
    "alignment_nmi",
    "template_dice",
    "reference_dice",
    "scalp_share",
    "visit_ratio",
    *(f"intensity_p{percentile}" for percentile in PERCENTILES),
    "lesion_native_ml",
    "lesion_expected_ml",
    "lesion_ml",
    "lesion_outside",
)
FILES = ("image", "brain", "lesion", "picture", "transform")
# `aligned_to`: the sequence of the session to which the image was aligned, empty for that sequence itself; `lesion_from`: the
# sequence on which its lesion mask was drawn; `grid`: of an image that keeps its own, empty for one on the template's. Memory is
# the peak of the whole session.
SPENT = ("seconds", "peak_memory_mb")
FACTS = ("aligned_to", "lesion_from", "grid")
COLUMNS = (*MANIFEST_COLUMNS, "status", "reason", "warning", *FILES, *MEASURES, *FACTS, *SPENT)
