"""One model for every training cohort, modality, method and seed.

Outputs are written in full: the wildcard constraints of a rule do not apply to the wildcards of a path variable (Snakemake 9.27).
"""


localrules:
    reuse,


rule train:
    """Train a method, or a part of one, on healthy subjects. Checkpoints lie outside the outputs, so that an interrupted training resumes."""
    input:
        train="results/packs/{cohort}/{modality}/train.h5",
        validation="results/packs/{cohort}/{modality}/validation.h5",
        parts=lambda wildcards: methods.part_models(PLAN, wildcards),
        banks=lambda wildcards: methods.training_banks(PLAN, wildcards),
    output:
        model="results/runs/{cohort}/{modality}/{method}/seed{seed}/model.safetensors",
        history="results/runs/{cohort}/{modality}/{method}/seed{seed}/history.csv",
        info="results/runs/{cohort}/{modality}/{method}/seed{seed}/train.json",
    log:
        "results/logs/train/{cohort}/{modality}/{method}/seed{seed}.log",
    benchmark:
        "results/benchmarks/train/{cohort}/{modality}/{method}/seed{seed}.jsonl"
    wildcard_constraints:
        method=patterns.trained(PLAN),
    priority: 10
    conda:
        "../envs/torch.yaml"
    threads: lambda wildcards: methods.training_resource(PLAN, wildcards.method, "threads")
    resources:
        gpu=lambda wildcards: methods.training_resource(PLAN, wildcards.method, "gpu"),
        mem_mb=lambda wildcards: methods.training_resource(PLAN, wildcards.method, "mem_mb"),
        runtime=lambda wildcards: methods.training_resource(PLAN, wildcards.method, "runtime_min"),
    params:
        method=lambda wildcards: methods.training_options(PLAN, wildcards),
        run=lambda wildcards, output: paths.parent(output.model),
        checkpoints=lambda wildcards, output: paths.checkpoints(output.model),
        code=lambda wildcards: methods.training_code(PLAN, wildcards.method),
    shell:
        "OMP_NUM_THREADS={threads} exec "
        f"{MADAD} train"
        " --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --options {params.method:q} --train {input.train} --validation {input.validation}"
        " --parts {input.parts} --banks {input.banks} --run {params.run} --checkpoints {params.checkpoints} --threads {threads} --gpus {resources.gpu} --log {log}"


rule reuse:
    """Reuse the weights of a method that differs in its settings of inference alone."""
    input:
        model=lambda wildcards: methods.reused_file(PLAN, wildcards, "model.safetensors"),
        history=lambda wildcards: methods.reused_file(PLAN, wildcards, "history.csv"),
        info=lambda wildcards: methods.reused_file(PLAN, wildcards, "train.json"),
    output:
        model="results/runs/{cohort}/{modality}/{method}/seed{seed}/model.safetensors",
        history="results/runs/{cohort}/{modality}/{method}/seed{seed}/history.csv",
        info="results/runs/{cohort}/{modality}/{method}/seed{seed}/train.json",
    log:
        "results/logs/reuse/{cohort}/{modality}/{method}/seed{seed}.log",
    wildcard_constraints:
        method=patterns.reused(PLAN),
    conda:
        "../envs/torch.yaml"
    params:
        source=lambda wildcards, input: paths.parent(input.model),
        run=lambda wildcards, output: paths.parent(output.model),
        code=fingerprint("madad.engine.weight_reuse"),
    shell:
        f"{MADAD} reuse"
        " --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --source {params.source} --run {params.run} --log {log}"
