"""The report as one page, what it shows beside tables and figures, and the page by which a person judges the images."""

from __future__ import annotations

from madad.reporting.deliverables.row import Deliverable, Output, data

PAGE = (
    Deliverable(
        "story",
        "What the report opens with: who leads, how certain that is, and what to distrust.",
        "madad.reporting.story.story:write_story",
        inputs=(
            *("summary", "comparisons", "metrics", "ceilings", "leakage_table"),
            *("all_trainings", "judged", "excluded"),
        ),
        options=("run_facts", "tracks", "trained"),
        outputs=(Output("out", "results/report/story.json"), Output("fragment", "results/landing/story.html")),
    ),
    Deliverable(
        "volumes",
        "The cases of the galleries with the maps of every method, for the viewer.",
        "madad.reporting.viewer.volumes:write_volumes",
        inputs=("method_maps", "method_tables", "packs"),
        options=("scoring",),
        outputs=data("results/report/volumes/{cohort}_{modality}_{testset}.json"),
        each="test set",
    ),
    Deliverable(
        "methods_text",
        "A paragraph of methods for a paper, with citations of what ran.",
        "madad.reporting.methods_text.text:write_methods",
        inputs=("provenance", "story", "leakage_table"),
        options=("tracks",),
        outputs=(Output("out", "results/report/methods.md"), Output("bib", "results/report/methods.bib")),
    ),
    Deliverable(
        "page",
        "The report as one page that opens offline, with a viewer of volumes.",
        "madad.reporting.page.index:write_index",
        inputs=("story", "methods_text", "shown", "volumes"),
        watched=("captions",),
        outputs=data("results/report/index.html"),
    ),
    Deliverable(
        "quality_page",
        "One row per subject with its pictures, outliers first; ticking rows writes the lines that exclude them.",
        "madad.reporting.quality.review_page:write_page",
        inputs=("judged", "quality_records", "excluded"),
        options=("quality_lists",),
        outputs=data("results/quality/index.html"),
    ),
)
