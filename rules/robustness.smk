"""Test sets under noise, bias field, motion, blur, thick slices and another contrast, and how much of the detection remains.

Results on corrupted test sets are kept apart from all others, in a table and figures of their own.
"""


ruleorder: evaluate_corrupted > evaluate


rule corrupt:
    """Add every artefact to some samples of a test set, at every severity."""
    input:
        pack="results/packs/{testset}/{modality}/test.h5",
        intensity=lambda wildcards: preprocessing.intensity_model(PLAN, wildcards.testset, wildcards.modality),
    output:
        pack="results/packs/{testset}-corrupted/{modality}/test.h5",
        table="results/packs/{testset}-corrupted/{modality}/test.tsv",
    log:
        "results/logs/corrupt/{testset}/{modality}.log",
    conda:
        "../envs/core.yaml"
    params:
        options=preprocessing.corruption_options(PLAN),
        code=fingerprint("madad.data.corruptions.corrupted"),
    shell:
        "python -m madad corrupt --pack {input.pack} --intensity {input.intensity} --out {output.pack} --table {output.table}"
        " --options {params.options:q} --log {log}"


rule evaluate_corrupted:
    """Score one method on a corrupted test set, with the thresholds of the original test set."""
    input:
        maps="<run>/eval/{testset}-corrupted/maps.h5",
        packs="results/packs/{testset}-corrupted/{modality}/test.h5",
        thresholds="<run>/eval/{testset}/metrics.tsv",
    output:
        "<run>/eval/{testset}-corrupted/metrics.tsv",
    log:
        "results/logs/evaluate/{cohort}/{modality}/{method}/seed{seed}/{testset}-corrupted.log",
    conda:
        "../envs/core.yaml"
    threads: 2
    params:
        options=lambda wildcards: methods.evaluation_options(PLAN, wildcards.method),
        code=fingerprint("madad.evaluation.protocol.run"),
    shell:
        "python -m madad evaluate --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --testset {wildcards.testset}-corrupted --options {params.options:q} --maps {input.maps}"
        " --packs {input.packs} --thresholds {input.thresholds} --out {output} --workers {threads} --log {log}"


rule collect_corrupted:
    """What the corrupted samples and the same samples without an artefact were given, as one table."""
    input:
        metrics=metrics_files(RUNS_CORRUPTED),
        clean=metrics_files(uncorrupted()),
        samples=[f"results/packs/{run['testset']}/{run['modality']}/test.tsv" for run in RUNS_CORRUPTED],
    output:
        "results/tables/robustness_metrics.csv",
    log:
        "results/logs/collect_corrupted.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.tables.robustness"),
    script:
        "../workflow_scripts/collect_corrupted.py"


rule robustness:
    """What every artefact costs every method."""
    input:
        "results/tables/robustness_metrics.csv",
    output:
        csv="results/tables/robustness.csv",
        tex="results/tables/robustness.tex",
        html=report(
            "results/tables/robustness.html",
            caption="../report/robustness.rst",
            category="5 Robustness",
            labels={"Result": "Robustness table"},
        ),
    log:
        "results/logs/robustness.log",
    conda:
        "../envs/core.yaml"
    params:
        resamples=CONFIG["evaluation"]["bootstrap"],
        code=fingerprint("madad.reporting.tables.robustness"),
    script:
        "../workflow_scripts/robustness.py"


rule robustness_figure:
    """Detection and false positives against the severity of every artefact."""
    input:
        "results/tables/robustness_metrics.csv",
    output:
        png=report(
            "results/figures/robustness_{cohort}_{modality}_{testset}.png",
            caption="../report/robustness_figure.rst",
            category="5 Robustness",
            labels={"Result": "Against severity", "Test set": "{testset}", "Sequence": "{modality}", "Trained on": "{cohort}"},
        ),
        pdf="results/figures/robustness_{cohort}_{modality}_{testset}.pdf",
    log:
        "results/logs/robustness_figure/{cohort}/{modality}/{testset}.log",
    conda:
        "../envs/core.yaml"
    params:
        resamples=CONFIG["evaluation"]["bootstrap"],
        code=fingerprint("madad.reporting.figures.robustness"),
    script:
        "../workflow_scripts/robustness_figure.py"


rule corruption_figure:
    """One sample under every artefact."""
    input:
        pack="results/packs/{testset}/{modality}/test.h5",
        corrupted="results/packs/{testset}-corrupted/{modality}/test.h5",
        samples="results/packs/{testset}-corrupted/{modality}/test.tsv",
    output:
        png=report(
            "results/figures/corruptions_{testset}_{modality}.png",
            caption="../report/corruptions.rst",
            category="5 Robustness",
            labels={"Result": "The artefacts", "Test set": "{testset}-corrupted", "Sequence": "{modality}"},
        ),
        pdf="results/figures/corruptions_{testset}_{modality}.pdf",
    log:
        "results/logs/corruption_figure/{testset}/{modality}.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.figures.robustness"),
    script:
        "../workflow_scripts/corruption_figure.py"
