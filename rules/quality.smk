"""Which images go on, and the page, table and figures by which a person judges them."""


rule verdicts:
    """Limits and lists of the config, laid over what preprocessing measured: another limit registers nothing again."""
    input:
        lambda wildcards: shard_tables(wildcards.cohort),
    output:
        table="results/quality/{cohort}/{pipeline}.tsv",
        record="results/quality/{cohort}/{pipeline}.json",
    log:
        "results/logs/verdicts/{cohort}/{pipeline}.log",
    conda:
        "../envs/core.yaml"
    params:
        options=verdict_options,
        code=fingerprint("madad.data.preprocessing.quality_control"),
    script:
        "../workflow_scripts/verdicts.py"


rule quality_page:
    """One row a subject with its pictures, outliers first; ticking rows writes the lines that exclude them."""
    input:
        judged=finished(quality_tables()),
        records=finished(quality_records()),
        excluded=finished(excluded_tables()),
    output:
        "results/quality/index.html",
    log:
        "results/logs/quality_page.log",
    conda:
        "../envs/core.yaml"
    params:
        lists={key: CONFIG["quality"][key] for key in ("exclude", "keep")},
        code=fingerprint("madad.reporting.quality.review_page"),
    script:
        "../workflow_scripts/quality_page.py"


rule quality:
    """Every image's quality numbers, the doubtful ones first."""
    input:
        judged=finished(quality_tables()),
        excluded=finished(excluded_tables()),
    output:
        csv="results/tables/quality.csv",
        html=report(
            "results/tables/quality.html",
            caption="../report/quality.rst",
            category="9 Data QC",
            labels={"Result": "Subjects"},
        ),
    log:
        "results/logs/quality.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.quality.summary"),
    script:
        "../workflow_scripts/quality.py"


rule quality_montage:
    """Quality pictures, those of doubtful subjects first."""
    input:
        finished(quality_tables()),
    output:
        png=report(
            "results/figures/quality_montage.png",
            caption="../report/quality_montage.rst",
            category="9 Data QC",
            labels={"Result": "Pictures"},
        ),
    log:
        "results/logs/quality_montage.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.quality.summary"),
    script:
        "../workflow_scripts/quality_montage.py"


rule quality_numbers:
    """Distribution of the quality numbers."""
    input:
        finished(quality_tables()),
    output:
        png=report(
            "results/figures/quality_numbers.png",
            caption="../report/quality_numbers.rst",
            category="9 Data QC",
            labels={"Result": "Distributions"},
        ),
        pdf="results/figures/quality_numbers.pdf",
    log:
        "results/logs/quality_numbers.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.quality.summary"),
    script:
        "../workflow_scripts/quality_numbers.py"


rule normalisation:
    """Intensities of every brain before and after normalisation."""
    input:
        tables=finished(quality_tables()),
        models=lambda wildcards: finished(intensity_models(wildcards.modality)),
    output:
        png=report(
            "results/figures/normalisation_{modality}.png",
            caption="../report/normalisation.rst",
            category="9 Data QC",
            labels={"Result": "Intensities before and after", "Sequence": "{modality}"},
        ),
        pdf="results/figures/normalisation_{modality}.pdf",
    log:
        "results/logs/normalisation/{modality}.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.figures.normalisation"),
    script:
        "../workflow_scripts/normalisation.py"


rule normalisation_methods:
    """The same training images under every method of normalisation."""
    input:
        tables=finished(reference_tables()),
    output:
        png=report(
            "results/figures/normalisation_methods_{modality}.png",
            caption="../report/normalisation_methods.rst",
            category="9 Data QC",
            labels={"Result": "Methods of normalisation", "Sequence": "{modality}"},
        ),
        pdf="results/figures/normalisation_methods_{modality}.pdf",
    log:
        "results/logs/normalisation_methods/{modality}.log",
    conda:
        "../envs/core.yaml"
    params:
        options=reference_intensity,
        code=fingerprint("madad.reporting.figures.normalisation"),
    script:
        "../workflow_scripts/normalisation_methods.py"
