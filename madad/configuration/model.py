"""The configuration and the presets as pydantic models: every key with its type, default, bounds and meaning.

These models and those they are made of are the only place that states a key. `schemas/config.schema.json` and
`schemas/preset.schema.json`, for editors, are generated from them by `python -m madad.configuration.json_schema`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from madad.configuration.data_options import Cohort, Pipeline, Quality
from madad.configuration.field_types import (
    AtLeastOne,
    Count,
    Distinct,
    DistinctAtLeastOne,
    InitialWeights,
    Integer,
    Modality,
    Name,
    Natural,
    OrNone,
    Section,
    Text,
    without_default,
)
from madad.configuration.lesion_options import Anomalies, Corrupted, Implanted


class Resources(Section):
    """What a job asks for."""

    gpu: Annotated[Integer, Field(ge=0, le=1)] = without_default("0 lets several jobs share a GPU, or run without one")
    threads: Count = without_default("number of threads")
    mem_mb: Annotated[Integer, Field(ge=500)] = without_default("memory, MB")
    runtime_min: Count = without_default("time limit, minutes")


class Sizes(Section):
    """What a preset sets for one method or component."""

    parameters: dict[str, Any] = Field(default={}, description="hyper-parameters, see the method's card")
    training: dict[str, Any] = Field(default={}, description="training options, see the method's card")
    resources: Resources = without_default("what its jobs ask for, where the card's numbers do not fit")


class MethodOptions(Sizes):
    """Other options for a method, or a variant of a method under a name of its own."""

    base: Name = without_default("the method that this entry varies; its own name by default")
    parts: dict[str, str | None] = Field(
        default={},
        description="the parts that the method uses, by the roles of its card's `requires`: a method, a component or a variant",
    )
    part_seeds: dict[str, Natural] = Field(
        default={},
        description="seeds of parts, by role, for ensembles over seeds: each is one of `seeds`; the other parts have the run's",
    )


class Evaluation(Section):
    """Options of the evaluation."""

    erosion: OrNone[Natural] = Field(
        0, description="iterations of brain-mask erosion in the axial plane before maps are scored; 0 or null for none"
    )
    median: OrNone[Natural] = Field(
        0, description="side of the 3D median filter in voxels, odd, over the voxels that have a score; 0 or null for none"
    )
    min_component: OrNone[Natural] = Field(0, description="smallest component that is kept, voxels; 0 or null for all")
    empty_masks: Literal["madad", "metrics_reloaded", "panoptica_brats", "panoptica_isles", "panoptica_binary_ms"] = Field(
        "madad",
        description="whose values metrics have where a prediction or a reference is empty; see docs/reference/evaluation.md",
    )
    slices: Distinct[Literal["mid_slice", "middle_slices", "largest_slice", "every_slice"]] = Field(
        default=[],
        description="slices that are also scored alone, as in papers on 2D methods; docs/reference/evaluation.md lists them",
    )
    bootstrap: Annotated[Integer, Field(ge=100)] = Field(2000, description="resamples for 95 % intervals")


TestSet = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*(-implanted)?(-corrupted)?$")]


class Config(Section):
    """madad configuration"""  # the title of the schema

    preset: Name = Field("quickstart", description="file in presets/ with sizes")
    cohorts: Annotated[dict[Name, Cohort], Field(min_length=1)] = Field(description="the cohorts that exist, by name")
    train_on: DistinctAtLeastOne[Name] = Field(
        default=["phantom"],
        description="cohorts whose healthy training subjects are trained on, each separately; a preset may set its own",
    )
    test_on: DistinctAtLeastOne[TestSet] = Field(
        default=["phantom", "phantom-implanted"],
        description="test sets: a cohort, its healthy subjects with synthetic lesions (<cohort>-implanted), or either "
        "-corrupted; a preset may set its own",
    )
    modalities: DistinctAtLeastOne[Modality] = Field(
        description="sequences, by BIDS suffix; each is trained on and tested separately, with the cohorts that have it"
    )
    pipelines: dict[Name, Pipeline] = Field(
        default_factory=lambda: {"standard": Pipeline()},
        description="ways of preprocessing, by name",
        json_schema_extra={"default": {"standard": {}}},
    )
    method_folders: Distinct[Text] = Field(
        default=[],
        description="folders with your own methods, <name>.yaml beside <name>.py, absolute or relative to the working "
        "directory; their code is run",
    )
    methods: DistinctAtLeastOne[Name] = Field(
        default=[
            "random",
            "intensity",
            "atlas_z",
            "vae3d",
            "ddpm",
            "pddpm",
            "mddpm",
            "cddpm",
            "mhd",
            "mad_ad",
            "ldm",
            "cldm",
            "conddiff",
            "inpainting",
        ],
        description="methods to compare, or variants from method_options; a preset may set its own",
    )
    method_options: dict[Name, MethodOptions] = Field(default={}, description="options of methods, and variants of them, by name")
    seeds: DistinctAtLeastOne[Natural] = Field(default=[0], description="one training run per seed")
    initial_weights: InitialWeights = Field(
        "none",
        description="weights that trainings start from: none for random ones, bundled for those that come with madad, or by name "
        "of a method or part none, bundled or a model file; names that are left out have the value of others, or else that of "
        "the preset (docs/how-to/model_files.md)",
    )
    anomalies: Anomalies = Field(
        default_factory=Anomalies, description="the generator of synthetic lesions, for banks and implanted test sets"
    )
    quality: Quality = Field(
        default_factory=Quality, description="which preprocessed images are used, see docs/how-to/quality.md"
    )
    implanted: Implanted = Field(default_factory=Implanted, description="test sets with synthetic lesions in healthy subjects")
    corrupted: Corrupted = Field(
        default_factory=Corrupted,
        description="test sets under artefacts; madad/data/corruptions/severities.py defines the severities",
    )
    evaluation: Evaluation = Field(default_factory=Evaluation, description="options of the evaluation")
    partial: bool = Field(
        False, description="report the finished runs and start no other; finished runs that are out of date are made again"
    )


class Preset(Section):
    """Sizes, and which methods are compared: a file of presets/"""

    description: str = Field("", description="what the preset is for")
    base: str = without_default("the preset that this one changes")
    cohorts: dict[str, dict[str, Any]] = Field(default={}, description="options by kind of cohort")
    pipelines: Pipeline = Field(default_factory=Pipeline, description="options of every pipeline")
    train_on: AtLeastOne[Name] = without_default("as in the configuration, where that does not set it")
    test_on: AtLeastOne[TestSet] = without_default("as in the configuration, where that does not set it")
    methods: AtLeastOne[Name] = without_default("methods to compare where the configuration does not list any")
    sizes: dict[str, Sizes] = Field(default={}, description="parameters, training options and resources by method or component")
    anomalies: Anomalies = Field(default_factory=Anomalies, description="as in the configuration")
    implanted: Implanted = Field(default_factory=Implanted, description="as in the configuration")
    corrupted: Corrupted = Field(default_factory=Corrupted, description="as in the configuration")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="as in the configuration")
    seeds: AtLeastOne[Natural] = without_default("as in the configuration")
    initial_weights: InitialWeights = without_default("as in the configuration")
