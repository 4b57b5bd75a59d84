"""Preprocessing: brains in template space, shard by shard, and then one file for every split."""


rule preprocess:
    """Reorient, correct, skull-strip and register one shard of a cohort; an interrupted shard resumes where it stopped."""
    input:
        manifest="results/cohorts/{cohort}/manifest.tsv",
        template=lambda wildcards: local(startup.dated(workflow, preprocessing.newest_template(PLAN, wildcards.pipeline))),
    output:
        table="results/preprocessed/{cohort}/{pipeline}/shards/{shard}-of-{shards}.tsv",
    log:
        "results/logs/preprocess/{cohort}/{pipeline}/{shard}-of-{shards}.log",
    benchmark:
        "results/benchmarks/preprocess/{cohort}/{pipeline}/{shard}-of-{shards}.jsonl"
    priority: 30
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=6000,
        runtime=720,
    params:
        options=lambda wildcards: preprocessing.options(PLAN, wildcards.cohort, wildcards.pipeline),
        template=lambda wildcards: preprocessing.template_files(PLAN, wildcards.pipeline),
        reading=lambda wildcards: cohorts.reading(PLAN, wildcards.cohort),
        folder=lambda wildcards, output: paths.subjects(output.table),
        code=fingerprint("madad.data.preprocessing.shards"),
    shell:
        f"{MADAD} preprocess"
        " --manifest {input.manifest} --shard {wildcards.shard} --shards {wildcards.shards}"
        " --folder {params.folder} --options {params.options:q} --table {output} --log {log}"


rule selection:
    """Leave out the images of a split that the limits and lists of the configuration exclude; limits that only flag decide nothing here."""
    input:
        lambda wildcards: preprocessing.shard_tables(PLAN, wildcards.cohort),
    output:
        "results/selected/{cohort}/{pipeline}/{split}.tsv",
    log:
        "results/logs/selection/{cohort}/{pipeline}/{split}.log",
    priority: 30
    conda:
        "../envs/core.yaml"
    params:
        # the only parameter that counts beside the code: that of the limits and lists has inputs, and is not compared
        unused=lambda wildcards: preprocessing.unused(PLAN, wildcards.cohort, wildcards.split),
        options=lambda wildcards, input: preprocessing.selection_options(PLAN, wildcards.cohort),
        code=fingerprint("madad.data.preprocessing.quality_control"),
    shell:
        f"{MADAD} select" " --tables {input} --options {params.options:q} --split {wildcards.split} --out {output} --log {log}"


rule verdicts:
    """Limits and lists of the configuration, laid over what preprocessing measured, for a person to look at."""
    input:
        lambda wildcards: preprocessing.shard_tables(PLAN, wildcards.cohort),
    output:
        table="results/quality/{cohort}/{pipeline}.tsv",
        record="results/quality/{cohort}/{pipeline}.json",
    log:
        "results/logs/verdicts/{cohort}/{pipeline}.log",
    conda:
        "../envs/core.yaml"
    params:
        options=lambda wildcards: preprocessing.verdict_options(PLAN, wildcards.cohort),
        code=fingerprint("madad.data.preprocessing.quality_control"),
    shell:
        f"{MADAD} verdicts"
        " --tables {input} --cohort {wildcards.cohort} --options {params.options:q}"
        " --out {output.table} --record {output.record} --log {log}"


rule intensity:
    """Fit the intensity normalisation on the training subjects of the pipeline's reference cohort alone."""
    input:
        lambda wildcards: preprocessing.reference_tables(PLAN, wildcards.pipeline, wildcards.modality),
    output:
        "results/intensity/{pipeline}/{modality}.json",
    log:
        "results/logs/intensity/{pipeline}/{modality}.log",
    priority: 30
    conda:
        "../envs/core.yaml"
    params:
        options=lambda wildcards: preprocessing.intensity_options(PLAN, wildcards.pipeline),
        code=fingerprint("madad.data.preprocessing.packing"),
    shell:
        f"{MADAD} intensity"
        " --tables {input} --modality {wildcards.modality}"
        " --options {params.options:q} --out {output} --log {log}"


rule pack:
    """Normalise the images of a split and write them into one file."""
    input:
        tables=lambda wildcards: preprocessing.selected_table(PLAN, wildcards.cohort, wildcards.split),
        intensity=lambda wildcards: preprocessing.intensity_model(PLAN, wildcards.cohort, wildcards.modality),
    output:
        "results/packs/{cohort}/{modality}/{split}.h5",
    log:
        "results/logs/pack/{cohort}/{modality}/{split}.log",
    priority: 30
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.data.preprocessing.packing"),
    shell:
        f"{MADAD} pack"
        " --tables {input.tables} --intensity {input.intensity} --cohort {wildcards.cohort}"
        " --modality {wildcards.modality} --split {wildcards.split} --out {output} --log {log}"
