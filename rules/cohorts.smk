"""Data sets: downloads, and a manifest for every cohort."""


localrules:
    download,


rule download:
    """Download a data set that requires no registration, where the configuration asks for it; existing files are kept."""
    output:
        record="results/downloads/{cohort}/download.json",
    log:
        "results/logs/download/{cohort}.log",
    retries: 3
    conda:
        "../envs/core.yaml"
    params:
        options=lambda wildcards: cohorts.download_options(PLAN, wildcards.cohort),
        folder=lambda wildcards, output: paths.parent(output.record),
    shell:
        f"{MADAD} download" " --options {params.options:q} --folder {params.folder} --out {output} --log {log}"


rule cohort:
    """List a cohort's images with split, masks and covariates; phantoms are generated first."""
    input:
        download=lambda wildcards: cohorts.inputs(PLAN, wildcards.cohort),
        newest=lambda wildcards: local(startup.dated(workflow, cohorts.newest(PLAN, wildcards.cohort))),
    output:
        manifest="results/cohorts/{cohort}/manifest.tsv",
        excluded="results/cohorts/{cohort}/excluded.tsv",
        passed_over="results/cohorts/{cohort}/passed_over.tsv",
        summary="results/cohorts/{cohort}/summary.json",
    log:
        "results/logs/cohort/{cohort}.log",
    priority: 30
    conda:
        "../envs/core.yaml"
    threads: lambda wildcards: cohorts.threads(PLAN, wildcards.cohort)
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        options=lambda wildcards: cohorts.options(PLAN, wildcards.cohort),
        modalities=lambda wildcards: cohorts.modalities(PLAN, wildcards.cohort),
        reading=lambda wildcards: cohorts.reading(PLAN, wildcards.cohort),
        folder=lambda wildcards, output: paths.parent(output.manifest),
        code=lambda wildcards: cohorts.code(PLAN, wildcards.cohort),
    shell:
        f"{MADAD} manifest"
        " --name {wildcards.cohort} --options {params.options:q}"
        " --modalities {params.modalities:q} --folder {params.folder} --reading {params.reading:q} --workers {threads} --log {log}"
