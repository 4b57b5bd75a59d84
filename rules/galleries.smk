"""Cases chosen by a rule: input, reconstruction, map and reference."""


rule gallery:
    """Best, median and worst case of one method."""
    input:
        maps=lambda wildcards: maps_files(shown_runs(wildcards)),
        metrics=lambda wildcards: metrics_files(shown_runs(wildcards)),
        packs=lambda wildcards: packs_for(wildcards.testset, wildcards.modality),
    output:
        png=report(
            "results/figures/gallery_{cohort}_{modality}_{testset}--{method}.png",
            caption="../report/gallery.rst",
            category="6 Anomaly maps",
            subcategory="{testset}",
            labels={
                "Method": "{method}",
                "Sequence": "{modality}",
                "Trained on": "{cohort}",
            },
        ),
        pdf="results/figures/gallery_{cohort}_{modality}_{testset}--{method}.pdf",
    log:
        "results/logs/gallery/{cohort}/{modality}/{testset}/{method}.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.galleries.cases_by_method"),
    script:
        "../workflow_scripts/gallery.py"


rule side_by_side:
    """The same three cases under every method."""
    input:
        maps=lambda wildcards: maps_files(shown_runs(wildcards)),
        metrics=lambda wildcards: metrics_files(shown_runs(wildcards)),
        packs=lambda wildcards: packs_for(wildcards.testset, wildcards.modality),
    output:
        png=report(
            "results/figures/side_by_side_{cohort}_{modality}_{testset}.png",
            caption="../report/side_by_side.rst",
            category="6 Anomaly maps",
            subcategory="{testset}",
            labels={
                "Method": "all, side by side",
                "Sequence": "{modality}",
                "Trained on": "{cohort}",
            },
        ),
        pdf="results/figures/side_by_side_{cohort}_{modality}_{testset}.pdf",
    log:
        "results/logs/side_by_side/{cohort}/{modality}/{testset}.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.galleries.cases_by_method"),
    script:
        "../workflow_scripts/side_by_side.py"
