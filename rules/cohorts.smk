"""Where subjects come from: a manifest for every cohort."""


rule cohort:
    """List a cohort's images with split, masks and covariates; phantoms are made first."""
    output:
        manifest="results/cohorts/{cohort}/manifest.tsv",
        excluded="results/cohorts/{cohort}/excluded.tsv",
    log:
        "results/logs/cohort/{cohort}.log",
    conda:
        "../envs/core.yaml"
    threads: cohort_threads
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        options=cohort_options,
        modalities=as_json(CONFIG["modalities"]),
        listing=cohort_listing,
        folder="results/cohorts/{cohort}",
        code=fingerprint("madad.cohorts.phantom", "madad.cohorts.bids"),
    shell:
        "python -m madad cohort --name {wildcards.cohort} --options {params.options:q}"
        " --modalities {params.modalities:q} --folder {params.folder} --workers {threads} --log {log}"
