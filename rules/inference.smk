"""What every method makes of every test set."""


rule infer:
    """Reconstruct and map the validation and test subjects of a test set."""
    input:
        model="<run>/model.safetensors",
        packs=lambda wildcards: packs_for(wildcards.testset, wildcards.modality),
    output:
        "<run>/eval/{testset}/maps.h5",
    log:
        "results/logs/infer/{cohort}/{modality}/{method}/seed{seed}/{testset}.log",
    benchmark:
        "results/benchmarks/infer/{cohort}/{modality}/{method}/seed{seed}/{testset}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: method_resource("threads")
    resources:
        gpu=method_resource("gpu"),
        mem_mb=method_resource("mem_mb"),
        runtime=method_resource("runtime_min"),
    params:
        method=method_options,
        code=method_code("madad.engine.inference"),
    shell:
        "OMP_NUM_THREADS={threads} python -m madad infer --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --testset {wildcards.testset} --options {params.method:q} --model {input.model}"
        " --packs {input.packs} --out {output} --threads {threads} --gpus {resources.gpu} --log {log}"


rule calibrate:
    """Map the training cohort's validation subjects, whose healthy ones give thresholds to test sets that have none."""
    input:
        model="<run>/model.safetensors",
        packs="results/packs/{cohort}/{modality}/validation.h5",
    output:
        "<run>/calibration/maps.h5",
    log:
        "results/logs/calibrate/{cohort}/{modality}/{method}/seed{seed}.log",
    benchmark:
        "results/benchmarks/calibrate/{cohort}/{modality}/{method}/seed{seed}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: method_resource("threads")
    resources:
        gpu=method_resource("gpu"),
        mem_mb=method_resource("mem_mb"),
        runtime=method_resource("runtime_min"),
    params:
        method=method_options,
        code=method_code("madad.engine.inference"),
    shell:
        "OMP_NUM_THREADS={threads} python -m madad infer --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --testset {wildcards.cohort} --options {params.method:q} --model {input.model}"
        " --packs {input.packs} --out {output} --threads {threads} --gpus {resources.gpu} --log {log}"


rule export_nifti:
    """Maps and reconstructions of a test set as NIfTI files in template space."""
    input:
        maps="<run>/eval/{testset}/maps.h5",
        packs=lambda wildcards: packs_for(wildcards.testset, wildcards.modality),
    output:
        directory("<run>/eval/{testset}/nifti"),
    log:
        "results/logs/export_nifti/{cohort}/{modality}/{method}/seed{seed}/{testset}.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.engine.nifti_export"),
    shell:
        "python -m madad export --maps {input.maps} --packs {input.packs} --folder {output} --log {log}"


rule nifti:
    """Every map and reconstruction as NIfTI; not part of the default run."""
    input:
        [path.replace("maps.h5", "nifti") for path in maps_files(RUNS_EVAL + RUNS_CORRUPTED)],
