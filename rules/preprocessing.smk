"""A head becomes a brain in template space, in shards; then a split becomes one file."""


rule preprocess:
    """Reorient, correct, strip and register one shard of a cohort; a killed shard resumes where it was."""
    input:
        "results/cohorts/{cohort}/manifest.tsv",
    output:
        "results/preprocessed/{cohort}/{pipeline}/shards/{shard}.tsv",
    log:
        "results/logs/preprocess/{cohort}/{pipeline}/{shard}.log",
    benchmark:
        "results/benchmarks/preprocess/{cohort}/{pipeline}/{shard}.jsonl"
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=720,
    params:
        options=preprocess_options,
        template=template_files,
        listing=cohort_listing,
        shards=lambda wildcards: CONFIG["cohorts"][wildcards.cohort]["shards"],
        folder="results/preprocessed/{cohort}/{pipeline}/subjects",
        code=fingerprint("madad.data.preprocessing.shards"),
    shell:
        "python -m madad preprocess --manifest {input} --shard {wildcards.shard} --shards {params.shards}"
        " --folder {params.folder} --options {params.options:q} --table {output} --log {log}"


rule intensity:
    """Fit the intensity normalisation on the training subjects of the pipeline's reference cohort, and on them alone."""
    input:
        lambda wildcards: quality_tables(CONFIG["pipelines"][wildcards.pipeline]["reference"]),
    output:
        "results/intensity/{pipeline}/{modality}.json",
    log:
        "results/logs/intensity/{pipeline}/{modality}.log",
    conda:
        "../envs/core.yaml"
    params:
        options=lambda wildcards: as_json(CONFIG["pipelines"][wildcards.pipeline]["intensity"]),
        code=fingerprint("madad.data.preprocessing.packing"),
    shell:
        "python -m madad intensity --tables {input} --modality {wildcards.modality}"
        " --options {params.options:q} --out {output} --log {log}"


rule pack:
    """Normalise a split's images and put them into one file."""
    input:
        tables=lambda wildcards: quality_tables(wildcards.cohort),
        intensity=pack_intensity,
    output:
        "results/packs/{cohort}/{modality}/{split}.h5",
    log:
        "results/logs/pack/{cohort}/{modality}/{split}.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.data.preprocessing.packing"),
    shell:
        "python -m madad pack --tables {input.tables} --intensity {input.intensity} --cohort {wildcards.cohort}"
        " --modality {wildcards.modality} --split {wildcards.split} --out {output} --log {log}"
