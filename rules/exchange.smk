"""Methods whose maps are made outside madad: read from files, or written by somebody's program or container."""


localrules:
    record_elsewhere,


ruleorder: map_elsewhere > infer
ruleorder: calibrate_elsewhere > calibrate


rule record_elsewhere:
    """Write the record of a run that is trained nowhere in this workflow."""
    output:
        history="results/runs/{cohort}/{modality}/{method}/seed{seed}/history.csv",
        info="results/runs/{cohort}/{modality}/{method}/seed{seed}/train.json",
    log:
        "results/logs/record_elsewhere/{cohort}/{modality}/{method}/seed{seed}.log",
    wildcard_constraints:
        method=patterns.elsewhere(PLAN),
    conda:
        "../envs/core.yaml"
    params:
        method=lambda wildcards: methods.options(PLAN, wildcards),
        run=lambda wildcards, output: paths.parent(output.info),
        code=fingerprint("madad.data.exchange.importing"),
    shell:
        f"{MADAD} record-elsewhere"
        " --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --options {params.method:q} --folder {params.run} --log {log}"


rule map_elsewhere:
    """Collect the maps of the validation and test subjects of a test set; a missing map is named."""
    input:
        packs=lambda wildcards: paths.packs(wildcards.testset, wildcards.modality),
        tables=lambda wildcards: exchange.native_tables(PLAN, wildcards.method, wildcards.testset),
    output:
        "results/runs/{cohort}/{modality}/{method}/seed{seed}/eval/{testset}/maps.h5",
    log:
        "results/logs/map_elsewhere/{cohort}/{modality}/{method}/seed{seed}/{testset}.log",
    wildcard_constraints:
        method=patterns.elsewhere(PLAN),
    priority: 20
    conda:
        "../envs/core.yaml"
    threads: lambda wildcards: methods.resource(PLAN, wildcards.method, "threads")
    resources:
        gpu=lambda wildcards: methods.resource(PLAN, wildcards.method, "gpu"),
        mem_mb=lambda wildcards: methods.resource(PLAN, wildcards.method, "mem_mb"),
        runtime=lambda wildcards: methods.resource(PLAN, wildcards.method, "runtime_min"),
    params:
        testset="{testset}",
        method=lambda wildcards: methods.options(PLAN, wildcards),
        files=lambda wildcards: exchange.files(PLAN, wildcards),
        code=lambda wildcards: exchange.code(PLAN, wildcards.method),
    shell:
        "OMP_NUM_THREADS={threads} "
        f"{MADAD} map-elsewhere"
        " --cohort {wildcards.cohort} --modality {wildcards.modality}"
        " --method {wildcards.method} --seed {wildcards.seed} --testset {params.testset} --options {params.method:q}"
        " --packs {input.packs} --tables {input.tables} --out {output} --gpus {resources.gpu} --log {log}"


use rule map_elsewhere as calibrate_elsewhere with:
    """Collect maps of the training cohort's validation subjects, whose healthy ones give thresholds to other test sets."""
    input:
        packs="results/packs/{cohort}/{modality}/validation.h5",
        tables=lambda wildcards: exchange.native_tables(PLAN, wildcards.method, wildcards.cohort),
    output:
        "results/runs/{cohort}/{modality}/{method}/seed{seed}/calibration/maps.h5",
    log:
        "results/logs/calibrate_elsewhere/{cohort}/{modality}/{method}/seed{seed}.log",
    params:
        testset="{cohort}",
