"""Where subjects come from: a manifest for every cohort."""


def cohort_options(wildcards):
    """Options of a cohort that decide its manifest."""
    options = CONFIG["cohorts"][wildcards.cohort]
    return as_json({key: value for key, value in options.items() if key not in ("pipeline", "shards", "skull_strip")})


def cohort_listing(wildcards):
    """Changes when subjects are added to or taken from a data set, or its table of participants is edited."""
    root = CONFIG["cohorts"][wildcards.cohort].get("root")
    if not root:
        return "made here"
    participants = os.path.join(root, "participants.tsv")
    table = open(participants, errors="replace").read() if os.path.exists(participants) else ""
    return content_hash([sorted(os.listdir(root)), table])


def cohort_threads(wildcards):
    """Phantoms are built side by side; a BIDS folder is only read."""
    return 16 if CONFIG["cohorts"][wildcards.cohort]["kind"] == "phantom" else 1


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
