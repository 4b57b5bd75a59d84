"""One model for every training cohort, modality, method and seed.

Outputs are written out: a rule's own wildcard constraints do not reach what a path variable stands for (Snakemake 9.27).
"""


localrules:
    reuse,


rule train:
    """Train a method, or a part that methods stand on, on healthy subjects. Checkpoints lie outside the outputs, so that a killed training resumes."""
    input:
        train="results/packs/{cohort}/{modality}/train.h5",
        validation="results/packs/{cohort}/{modality}/validation.h5",
        parts=part_models,
        banks=training_banks,
    output:
        model="results/runs/{cohort}/{modality}/{method}/seed{seed}/model.safetensors",
        history="results/runs/{cohort}/{modality}/{method}/seed{seed}/history.csv",
        info="results/runs/{cohort}/{modality}/{method}/seed{seed}/train.json",
    log:
        "results/logs/train/{cohort}/{modality}/{method}/seed{seed}.log",
    benchmark:
        "results/benchmarks/train/{cohort}/{modality}/{method}/seed{seed}.jsonl"
    wildcard_constraints:
        method=TRAINED,
    conda:
        "../envs/torch.yaml"
    threads: training_resource("threads")
    resources:
        gpu=training_resource("gpu"),
        mem_mb=training_resource("mem_mb"),
        runtime=training_resource("runtime_min"),
    params:
        method=training_options,
        run=lambda wildcards, output: os.path.dirname(output.model),
        checkpoints="results/checkpoints/{cohort}/{modality}/{method}/seed{seed}",
        code=method_code("madad.engine.training", pairs=True),
    shell:
        "OMP_NUM_THREADS={threads} exec python -m madad train --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --options {params.method:q} --train {input.train} --validation {input.validation}"
        " --parts {input.parts} --banks {input.banks} --run {params.run} --checkpoints {params.checkpoints} --threads {threads} --gpus {resources.gpu} --log {log}"


rule reuse:
    """Reuse the weights of a method that differs in its settings of inference alone."""
    input:
        model=reused("model.safetensors"),
        history=reused("history.csv"),
        info=reused("train.json"),
    output:
        model="results/runs/{cohort}/{modality}/{method}/seed{seed}/model.safetensors",
        history="results/runs/{cohort}/{modality}/{method}/seed{seed}/history.csv",
        info="results/runs/{cohort}/{modality}/{method}/seed{seed}/train.json",
    log:
        "results/logs/reuse/{cohort}/{modality}/{method}/seed{seed}.log",
    wildcard_constraints:
        method=REUSED,
    conda:
        "../envs/torch.yaml"
    params:
        source=lambda wildcards, input: os.path.dirname(input.model[0]),
        run=lambda wildcards, output: os.path.dirname(output.model),
        code=fingerprint("madad.engine.weight_reuse"),
    shell:
        "python -m madad reuse --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --source {params.source} --run {params.run} --log {log}"
