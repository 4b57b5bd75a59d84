"""Cases chosen by a rule: input, reconstruction, map and reference."""

GALLERY = "results/figures/gallery_{cohort}_{modality}_{testset}_{method}"
SIDE_BY_SIDE = "results/figures/side_by_side_{cohort}_{modality}_{testset}"


def gallery_files():
    """Galleries of every method on every test set, and of all methods side by side."""
    shown = first_seeds()
    return sorted({(path + ".png").format(**run) for run in shown for path in (GALLERY, SIDE_BY_SIDE)})


def shown_runs(wildcards):
    """Evaluations behind a gallery's name."""
    return first_seeds(**dict(wildcards))


rule gallery:
    """Best, median and worst case of one method."""
    input:
        maps=lambda wildcards: maps_files(shown_runs(wildcards)),
        metrics=lambda wildcards: metrics_files(shown_runs(wildcards)),
        packs=lambda wildcards: packs_for(wildcards.testset, wildcards.modality),
    output:
        png=report(
            GALLERY + ".png",
            caption="../report/gallery.rst",
            category="6 Anomaly maps",
            subcategory="{testset}",
            labels={
                "Method": "{method}",
                "Sequence": "{modality}",
                "Trained on": "{cohort}",
            },
        ),
        pdf=GALLERY + ".pdf",
    log:
        "results/logs/gallery/{cohort}/{modality}/{testset}/{method}.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.gallery"),
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
            SIDE_BY_SIDE + ".png",
            caption="../report/side_by_side.rst",
            category="6 Anomaly maps",
            subcategory="{testset}",
            labels={
                "Method": "all, side by side",
                "Sequence": "{modality}",
                "Trained on": "{cohort}",
            },
        ),
        pdf=SIDE_BY_SIDE + ".pdf",
    log:
        "results/logs/side_by_side/{cohort}/{modality}/{testset}.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.gallery"),
    script:
        "../workflow_scripts/side_by_side.py"
