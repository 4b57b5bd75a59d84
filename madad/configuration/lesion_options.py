"""Options of synthetic lesions and of corrupted test sets: every key with its type, default and meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from madad.configuration.field_types import AtLeastOne, Count, DistinctAtLeastOne, Fraction, Integer, Natural, Number, Section


class Bank(Section):
    """The bank of warped lesion maps."""

    size: Count = Field(200, description="number of warped maps")
    shards: Count = Field(2, description="jobs that make them")
    seed: Natural = Field(0, description="seed of the maps")


class Anomalies(Section):
    """The generator of synthetic lesions, for banks and implanted test sets."""

    lesion_masks: str | None = Field(
        None,
        description="folder of binary lesion masks (NIfTI, MNI space, any grid) whose shapes are used; null: random shapes alone",
    )
    test_masks: Fraction = Field(
        0.3,
        description="fraction of these masks that are for implanted test sets alone; the others are for the bank, and so for "
        "training, alone. All masks of a person (sub-… in the name) and all copies of a mask are on one side",
    )
    mask_seed: Natural = Field(0, description="seed of that division")
    random_shapes: Fraction = Field(0.5, description="fraction of lesions made from Perlin noise although there are masks")
    volume_ml: Annotated[list[Annotated[Number, Field(gt=0, le=2000)]], Field(min_length=2, max_length=2)] = Field(
        default=[0.3, 150.0], description="smallest and largest initial shape of a lesion in the bank, ml"
    )
    components: Annotated[Integer, Field(ge=1, le=20)] = Field(
        3, description="largest number of separate random shapes in one map of the bank"
    )
    time: Annotated[list[Annotated[Number, Field(ge=0, le=5)]], Field(min_length=2, max_length=2)] = Field(
        default=[0.1, 0.9], description="shortest and longest duration of the flow"
    )
    multiplier: Annotated[Number, Field(ge=0, le=5000)] = Field(
        500.0, description="strength of the flow on a grid 200 voxels wide; scaled to other grids"
    )
    diffusivity: Annotated[Number, Field(ge=0, le=100)] = Field(
        0.0, description="largest diffusion, voxel² per unit of time on a grid 200 voxels wide; 0 as in the authors' code"
    )
    boundary: Literal["brain", "box"] = Field(
        "brain", description="brain: nothing crosses the brain's contour, as in the paper; box: as in the authors' code"
    )
    bank: Bank = Field(default_factory=Bank, description="the bank of warped lesion maps")


class Implanted(Section):
    """Test sets with synthetic lesions in healthy subjects."""

    volumes_ml: AtLeastOne[Annotated[Number, Field(gt=0, le=300)]] = Field(
        default=[1.0, 5.0, 20.0], description="volumes of the lesions, ml"
    )
    contrasts: AtLeastOne[Annotated[Number, Field(gt=0, le=1)]] = Field(
        default=[0.15, 0.3, 0.5],
        description="change of intensity in the lesion, in units of the brain's normalised range",
    )
    sign: Literal["auto", "brighter", "darker", "both"] = Field(
        "auto",
        description="auto: from the images, darker where white matter is the brighter tissue (T1w), else brighter (T2w, FLAIR)",
    )
    sites: DistinctAtLeastOne[Literal["anywhere", "cortical", "white_matter", "deep_grey", "infratentorial"]] = Field(
        default=["cortical", "white_matter", "deep_grey"],
        description="regions of the template that contain the centres of lesions; every combination of volume, contrast, sign "
        "and site occurs equally often",
    )
    per_subject: Count = Field(2, description="copies with lesions per healthy subject")
    seed: Natural = Field(0, description="seed of the lesions")


Corruption = Literal["noise", "bias_field", "motion", "blur", "thick_slices", "contrast"]


class Corrupted(Section):
    """Test sets under artefacts; madad/data/corruptions/severities.py defines the severities."""

    kinds: DistinctAtLeastOne[Corruption] = Field(
        default=["noise", "bias_field", "motion", "blur", "thick_slices", "contrast"], description="artefacts to simulate"
    )
    severities: DistinctAtLeastOne[Annotated[Integer, Field(ge=1, le=5)]] = Field(
        default=[1, 2, 3, 4, 5], description="severities of every artefact"
    )
    samples: Count = Field(
        20,
        description="samples of the test set that are corrupted, half of them healthy if there are enough, spread over the "
        "subjects; each by every kind at every severity",
    )
    seed: Natural = Field(0, description="seed of the choice of samples and of the artefacts")
