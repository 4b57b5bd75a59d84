"""What methods make of healthy brains: fidelity of reconstructions, mean errors, healthy subjects told from the others."""


rule fidelity:
    """Reconstructions of healthy brains, and of lesions against the tissue around them."""
    input:
        summary="results/tables/summary.csv",
        metrics="results/tables/metrics.csv",
    output:
        csv="results/tables/fidelity.csv",
        tex="results/tables/fidelity.tex",
        html=report(
            "results/tables/fidelity.html",
            caption="../report/fidelity.rst",
            category="2 Tables",
            labels={"Result": "Fidelity of reconstructions"},
        ),
    log:
        "results/logs/fidelity.log",
    conda:
        "../envs/core.yaml"
    params:
        bases=METHOD_BASES,
        resamples=CONFIG["evaluation"]["bootstrap"],
        code=fingerprint("madad.reporting.tables.fidelity"),
    script:
        "../workflow_scripts/fidelity.py"


rule subjects:
    """Subjects with a lesion told from healthy ones, by every way of scoring a subject."""
    input:
        "results/tables/metrics.csv",
    output:
        csv="results/tables/subjects.csv",
        tex="results/tables/subjects.tex",
        html=report(
            "results/tables/subjects.html",
            caption="../report/subjects.rst",
            category="2 Tables",
            labels={"Result": "Subject-level detection"},
        ),
    log:
        "results/logs/subjects.log",
    conda:
        "../envs/core.yaml"
    params:
        bases=METHOD_BASES,
        code=fingerprint("madad.reporting.tables.subjects"),
    script:
        "../workflow_scripts/subjects.py"


rule mean_maps:
    """Mean residual and mean map of every method over the healthy test subjects."""
    input:
        lambda wildcards: _of_runs("eval/{testset}/mean_maps.npz", shown_runs(wildcards)),
    output:
        png=report(
            "results/figures/mean_maps_{cohort}_{modality}_{testset}.png",
            caption="../report/mean_maps.rst",
            category="6 Anomaly maps",
            subcategory="{testset}",
            labels={
                "Method": "all, mean over healthy subjects",
                "Sequence": "{modality}",
                "Trained on": "{cohort}",
            },
        ),
        pdf="results/figures/mean_maps_{cohort}_{modality}_{testset}.pdf",
    log:
        "results/logs/mean_maps/{cohort}/{modality}/{testset}.log",
    conda:
        "../envs/core.yaml"
    params:
        methods=lambda wildcards: [run["method"] for run in shown_runs(wildcards)],
        code=fingerprint("madad.reporting.galleries.mean_maps"),
    script:
        "../workflow_scripts/mean_maps.py"
