"""Inference: reconstructions and anomaly maps of every method on every test set."""


rule infer:
    """Compute the reconstructions and maps of the validation and test subjects of a test set."""
    input:
        model="<run>/model.safetensors",
        packs=lambda wildcards: paths.packs(wildcards.testset, wildcards.modality),
    output:
        "<run>/eval/{testset}/maps.h5",
    log:
        "results/logs/infer/{cohort}/{modality}/{method}/seed{seed}/{testset}.log",
    benchmark:
        "results/benchmarks/infer/{cohort}/{modality}/{method}/seed{seed}/{testset}.jsonl"
    priority: 20
    conda:
        "../envs/torch.yaml"
    threads: lambda wildcards: methods.resource(PLAN, wildcards.method, "threads")
    resources:
        gpu=lambda wildcards: methods.resource(PLAN, wildcards.method, "gpu"),
        mem_mb=lambda wildcards: methods.resource(PLAN, wildcards.method, "mem_mb"),
        runtime=lambda wildcards: methods.resource(PLAN, wildcards.method, "runtime_min"),
    params:
        testset="{testset}",
        method=lambda wildcards: methods.options(PLAN, wildcards),
        code=lambda wildcards: methods.inference_code(PLAN, wildcards.method),
    shell:
        "OMP_NUM_THREADS={threads} "
        f"{MADAD} infer"
        " --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --testset {params.testset} --options {params.method:q} --model {input.model}"
        " --packs {input.packs} --out {output} --threads {threads} --gpus {resources.gpu} --log {log}"


use rule infer as calibrate with:
    """Map the training cohort's validation subjects: the healthy ones give thresholds to test sets without healthy subjects."""
    input:
        model="<run>/model.safetensors",
        packs="results/packs/{cohort}/{modality}/validation.h5",
    output:
        "<run>/calibration/maps.h5",
    log:
        "results/logs/calibrate/{cohort}/{modality}/{method}/seed{seed}.log",
    benchmark:
        "results/benchmarks/calibrate/{cohort}/{modality}/{method}/seed{seed}.jsonl"
    params:
        testset="{cohort}",


rule export_nifti:
    """Write the maps and reconstructions of a test set as NIfTI files in template space."""
    input:
        maps="<run>/eval/{testset}/maps.h5",
        packs=lambda wildcards: paths.packs(wildcards.testset, wildcards.modality),
    output:
        directory("<run>/eval/{testset}/nifti"),
    log:
        "results/logs/export_nifti/{cohort}/{modality}/{method}/seed{seed}/{testset}.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.engine.nifti_export"),
    shell:
        f"{MADAD} export" " --maps {input.maps} --packs {input.packs} --folder {output} --log {log}"


rule nifti:
    """Export every map and reconstruction as NIfTI; not part of the default run."""
    input:
        methods.nifti_folders(PLAN),
