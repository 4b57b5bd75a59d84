"""The report's pages, tables and figures by which a person judges the images themselves."""

from __future__ import annotations

from madad.reporting.deliverables.row import Deliverable, Output, data, figure

DATA_QUALITY = (
    Deliverable(
        "cohorts_page",
        "How every cohort was understood: groups and their evidence, splits, sequences, masks, and what was not used.",
        "madad.reporting.quality.understood:write_cohorts",
        inputs=("summaries",),
        outputs=(
            Output("csv", "results/tables/cohorts.csv"),
            Output("html", "results/tables/cohorts.html", {"Result": "Cohorts"}, "cohorts"),
        ),
        section="9 Data QC",
    ),
    Deliverable(
        "quality",
        "Every image's quality numbers, the doubtful ones first.",
        "madad.reporting.quality.summary:write_quality",
        inputs=("judged", "excluded"),
        outputs=(
            Output("csv", "results/tables/quality.csv"),
            Output("html", "results/tables/quality.html", {"Result": "Subjects"}, "quality"),
        ),
        section="9 Data QC",
    ),
    Deliverable(
        "quality_page",
        "One row per subject with its pictures, outliers first; ticking rows writes the lines that exclude them.",
        "madad.reporting.quality.review_page:write_page",
        inputs=("judged", "quality_records", "excluded"),
        options=("quality_lists",),
        outputs=data("results/quality/index.html"),
    ),
    Deliverable(
        "quality_montage",
        "Quality pictures, those of doubtful subjects first.",
        "madad.reporting.quality.summary:draw_montage",
        inputs=("judged",),
        outputs=(Output("png", "results/figures/quality_montage.png", {"Result": "Pictures"}, "quality_montage"),),
        section="9 Data QC",
    ),
    Deliverable(
        "quality_numbers",
        "Distribution of the quality numbers.",
        "madad.reporting.quality.summary:draw_quality",
        inputs=("judged",),
        outputs=figure("quality_numbers", {"Result": "Distributions"}, "quality_numbers"),
        section="9 Data QC",
    ),
    Deliverable(
        "normalisation",
        "Intensities of every brain before and after normalisation.",
        "madad.reporting.figures.normalisation:draw_normalisation",
        inputs=("judged", "intensity_models"),
        options=("modality",),
        outputs=figure(
            "normalisation_{modality}", {"Result": "Intensities before and after", "Sequence": "{modality}"}, "normalisation"
        ),
        section="9 Data QC",
        each="sequence",
    ),
    Deliverable(
        "normalisation_methods",
        "The same training images under every method of normalisation.",
        "madad.reporting.figures.normalisation:draw_methods",
        inputs=("reference_tables",),
        options=("intensity_options", "modality"),
        outputs=figure(
            "normalisation_methods_{modality}",
            {"Result": "Methods of normalisation", "Sequence": "{modality}"},
            "normalisation_methods",
        ),
        section="9 Data QC",
        each="sequence",
    ),
)
