"""Options of cohorts, of preprocessing pipelines and of quality control: every key with its type, default and meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from madad.configuration.field_types import (
    AtLeastOne,
    Count,
    Distinct,
    DistinctAtLeastOne,
    EntityValue,
    Fraction,
    Modality,
    Name,
    Natural,
    Number,
    OrNone,
    Positive,
    Section,
    Text,
    without_default,
)

Dataset = Literal[
    "ADHD200",
    "ADNI",
    "ADNI3",
    "AIBL",
    "ATLAS",
    "BraTS",
    "BraTS20",
    "BraTS21",
    "HCP",
    "IXI",
    "MSLUB",
    "MSSEG2015",
    "OASIS3",
    "SHIFTS",
    "WMH",
    None,
]


class Split(Section):
    """Fractions of the healthy subjects in each split; they add up to 1."""

    train: Fraction = Field(0.7, description="fraction of the healthy subjects")
    validation: Fraction = Field(0.1, description="fraction of the healthy subjects")
    test: Fraction = Field(0.2, description="fraction of the healthy subjects")


class PatientSplit(Section):
    """Fractions of the patients in each split; they add up to 1."""

    validation: Fraction = Field(0.3, description="fraction of the patients")
    test: Fraction = Field(0.7, description="fraction of the patients")


class Columns(Section):
    """Columns of participants.tsv, where they are not called as here."""

    age: Text | None = Field(None, description="years")
    sex: Text | None = Field(None, description="Words for female, male and other become F, M and O; any other one is kept")
    site: Text | None = Field(None, description="scanner or hospital")
    group: Text | None = Field(None, description="who is healthy and who is a patient")
    lesion_kind: Text | None = Field(None, description="kind of lesion, by which patients are divided among the splits")


class Cohort(Section):
    """One cohort: where its images come from, how its subjects are split, and how it is preprocessed."""

    kind: str = Field(description="what reads or makes it: phantom, soop, bids, ixi, brats, atlas, mslub, wmh, msd")
    root: Text = without_default("folder of the data set; not for phantom and soop (docs/reference/data.md shows its layout)")
    download: bool = Field(False, description="download the data set to results/downloads instead of reading a root (kind ixi)")
    mirror: Text | None = Field(None, description="address of a folder with the same files as the data set's own site")
    variant: Literal["preprocessed", "raw", None] = Field(
        None, description="mslub and wmh: images as the data set's authors prepared them (the default), or as scanned"
    )
    pipeline: Name = Field("standard", description="entry of `pipelines` that preprocesses it")
    skull_strip: Literal["template", "bet", "hd-bet", "synthstrip", "given", "none"] = Field(
        "template",
        description="template: the template's brain mask, mapped to the head by SyN registration; bet: a BET surface grown from "
        "that mask, faster and less exact; hd-bet, synthstrip: networks, installed separately; given: the cohort's own brain "
        "masks; none: the images are skull-stripped already",
    )
    skull_strip_command: Text | None = Field(
        None,
        description="command for hd-bet or synthstrip, such as 'apptainer run /images/synthstrip.sif'; null: its usual name",
    )
    dataset: Dataset = Field(None, description="which public data set it is (docs/how-to/published_numbers.md)")
    group: Literal["auto", "healthy", "patient", "by_mask", "unlabelled"] = Field(
        "auto",
        description="auto: subjects with a lesion mask are patients, for others participants.tsv decides, and who is in neither "
        "is unknown and not used; healthy, patient: all subjects are; by_mask: who would be unknown is healthy; unlabelled: who "
        "would be unknown is tested on, with maps and scores, without metrics that need the truth",
    )
    columns: Columns = Field(default_factory=Columns, description="bids: columns of participants.tsv that have other names")
    healthy_values: list[Text] = Field(
        default=[],
        description="bids: words that mean healthy in the column of the group; every other word means patient; empty: control, "
        "healthy, HC, CN and the like",
    )
    filters: dict[str, dict[str, EntityValue]] = Field(
        default={},
        description="bids: which images and masks to use, by sequence, lesion_mask or brain_mask: BIDS entities such as acq, run "
        "or desc with a value, several, or null for none, as in {T1w: {acq: highres, run: 1}}",
    )
    split: Split = Field(default_factory=Split, description="how the healthy subjects are split")
    patient_split: PatientSplit = Field(default_factory=PatientSplit, description="how the patients are split")
    splits: Literal["published", "random"] = Field(
        "published",
        description="published: the papers' split of the patients, if the kind has one and the cohort sets none; "
        "random: by split and patient_split",
    )
    validation_patients: Distinct[Text] = Field(
        default=[], description="patients of the validation split, by subject; all others are test subjects"
    )
    lesion_labels: OrNone[AtLeastOne[Count]] = Field(
        None, description="values of the lesion masks that count as lesion; null: all above 0 (wmh: 1)"
    )
    split_seed: Natural = Field(0, description="seed of the random splits")
    limit: OrNone[Count] = Field(None, description="largest number of subjects to use; null: all")
    brain_masks: Text | None = Field(
        None, description="bids: glob pattern below root for brain masks, with {subject}; null: recognised by their names"
    )
    lesion_masks: Text | None = Field(
        None, description="bids: glob pattern below root for lesion masks, with {subject}; null: recognised by their names"
    )
    shards: OrNone[Count] = Field(None, description="number of jobs that preprocess it; null: one per 40 subjects, at least two")
    healthy: Natural = Field(20, description="phantom: number of healthy subjects")
    patients: Natural = Field(8, description="phantom: number of patients")
    seed: Natural = Field(0, description="phantom: seed of the anatomy")
    spacing_mm: Annotated[Number, Field(ge=0.8, le=5)] = Field(2.0, description="phantom: approximate voxel size of the scans")
    modalities: OrNone[DistinctAtLeastOne[Modality]] = Field(
        None, description="sequences to use of it (phantom: to make); null: all that it has (phantom: T1w, T2w, FLAIR)"
    )


class Intensity(Section):
    """Intensity normalisation."""

    method: Literal["percentile", "nyul", "histogram_matching", "zscore", "equalisation", "maximum", "median"] = Field(
        "percentile",
        description="maximum: 0 stays 0 and the upper percentile becomes 1; median: -3 and 7 robust standard deviations about "
        "the median become 0 and 1, so that a large bright lesion does not set the scale",
    )
    lower: Annotated[Number, Field(ge=0, le=49)] = Field(1.0, description="lower percentile of the brain")
    upper: Annotated[Number, Field(ge=51, le=100)] = Field(99.0, description="upper percentile of the brain")


class Pipeline(Section):
    """One way of preprocessing."""

    base: str | None = Field(
        None, description="published chain, a file of presets/pipelines, from which options not set here are taken"
    )
    template: Text = Field("icbm152", description="what images are registered to: icbm152, or the path of a NIfTI file")
    template_brain: str | None = Field(
        None, description="brain mask of a template file; needed unless the file shows the brain alone"
    )
    spacing_mm: Annotated[Number, Field(ge=0.8, le=6)] = Field(2.0, description="voxel size in template space")
    shape: OrNone[Annotated[list[Count], Field(min_length=3, max_length=3)]] = Field(
        None,
        description="voxels from left to right, back to front and bottom to top, centred on the template's brain, which they may "
        "crop; null: the whole brain, slices square",
    )
    align: Literal["joint", "separate"] = Field(
        "joint",
        description="joint: the sequences of a session are aligned to one of them and share its brain mask and its transform to "
        "the template; separate: each has its own",
    )
    skull_strip: Literal["template", "bet", "hd-bet", "synthstrip", None] = Field(
        None, description="for cohorts that do not choose it themselves"
    )
    denoise: Literal["none", "curvature_flow"] = Field(
        "none", description="curvature_flow: time step 0.125, 3 iterations, as in the published chains"
    )
    denoise_at_mm: OrNone[Annotated[Number, Field(ge=0.5)]] = Field(
        None,
        description="voxel size at which to denoise: spacing_mm divided by a whole number; spacing_mm is then reached by cubic "
        "B-splines; null: spacing_mm",
    )
    bias_field: Literal["n4", "none"] = Field("n4", description="correction of the bias field")
    registration: Literal["affine", "rigid", "none"] = Field(
        "affine",
        description="transform to the template; none: volumes or single slices in one common space keep their grid",
    )
    intensity: Intensity = Field(default_factory=Intensity, description="intensity normalisation")
    reference: str | None = Field(
        None,
        description="cohort whose training split the intensity normalisation is fitted on; null, or one without the sequence: "
        "the first of train_on that has it",
    )


Interval = OrNone[Annotated[list[OrNone[Number]], Field(min_length=2, max_length=2)]]
BRAIN = "the brain before normalisation, in the scanner's units"
FLAG = "lowest and highest value that is not flagged; null: no limit"


class Limit(Section):
    """Limits of one measure of the preprocessed images."""

    flag: Interval = Field(None, description=FLAG)
    exclude: Interval = Field(None, description="lowest and highest value that is not excluded; null: no limit")


class BrainVolumeLimit(Limit):
    """Limits of the brain volume: few adult brains lie outside these."""

    flag: Interval = Field(default=[900, 2200], description=FLAG)


class TemplateDiceLimit(Limit):
    """Limits of the overlap with the template's brain."""

    flag: Interval = Field(default=[0.88, None], description=FLAG)


class ReferenceDiceLimit(Limit):
    """Limits of the overlap with the brain mask supplied with the image."""

    flag: Interval = Field(default=[0.9, None], description=FLAG)


class ScalpShareLimit(Limit):
    """Limits of the part of the brain mask's border that lies below air instead of scalp."""

    flag: Interval = Field(default=[None, 0.05], description=FLAG)


class VisitRatioLimit(Limit):
    """Limits of the brain volume relative to the same person's other visits."""

    flag: Interval = Field(default=[0.87, 1.15], description=FLAG)


class LesionOutsideLimit(Limit):
    """Limits of the fraction of the lesion outside the brain."""

    flag: Interval = Field(default=[None, 0.1], description=FLAG)


class Limits(Section):
    """The lowest and the highest value of every measure (null: no limit) that is not flagged, or not excluded."""

    brain_volume_ml: BrainVolumeLimit = Field(
        default_factory=BrainVolumeLimit, description="brain mask in the file's own space, ml"
    )
    template_dice: TemplateDiceLimit = Field(
        default_factory=TemplateDiceLimit, description="overlap of the brain mask with that of the template after registration"
    )
    reference_dice: ReferenceDiceLimit = Field(
        default_factory=ReferenceDiceLimit,
        description="overlap of the brain mask found here with the one supplied with the image",
    )
    scalp_share: ScalpShareLimit = Field(
        default_factory=ScalpShareLimit,
        description="part of the upper border of the brain mask with air instead of skull and scalp above it: a mask that leaked",
    )
    visit_ratio: VisitRatioLimit = Field(
        default_factory=VisitRatioLimit, description="brain volume divided by the median of the same person's other visits"
    )
    registration_nmi: Limit = Field(default_factory=Limit, description="normalised mutual information of image and template")
    alignment_nmi: Limit = Field(
        default_factory=Limit, description="normalised mutual information of the image and the sequence it was aligned to"
    )
    lesion_native_ml: Limit = Field(default_factory=Limit, description="lesion mask in the file's own space, ml")
    lesion_expected_ml: Limit = Field(
        default_factory=Limit,
        description="volume that the lesion should have in template space, before rounding to voxels, ml",
    )
    lesion_ml: Limit = Field(default_factory=Limit, description="lesion in template space, ml")
    lesion_outside: LesionOutsideLimit = Field(
        default_factory=LesionOutsideLimit, description="fraction of the lesion outside the brain mask"
    )
    intensity_p1: Limit = Field(default_factory=Limit, description=f"percentile 1 of {BRAIN}")
    intensity_p25: Limit = Field(default_factory=Limit, description=f"percentile 25 of {BRAIN}")
    intensity_p50: Limit = Field(default_factory=Limit, description=f"percentile 50 of {BRAIN}")
    intensity_p75: Limit = Field(default_factory=Limit, description=f"percentile 75 of {BRAIN}")
    intensity_p99: Limit = Field(default_factory=Limit, description=f"percentile 99 of {BRAIN}")


class Quality(Section):
    """Which preprocessed images are used, see docs/how-to/quality.md."""

    limits: Limits = Field(default_factory=Limits, description="limits of every measure")
    outlier_z: OrNone[Positive] = Field(
        3.5, description="modified z-score above which an image is flagged within its cohort and modality; null: no such flags"
    )
    exclude: dict[str, list[Text]] = Field(
        default={}, description="images to leave out, by cohort: sub-01, one session sub-01_ses-1, one image sub-01_ses-1_FLAIR"
    )
    keep: dict[str, list[Text]] = Field(
        default={}, description="images that a person has accepted, by cohort, whatever the limits say"
    )
