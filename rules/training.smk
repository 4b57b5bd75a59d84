"""One model for every training cohort, modality, method and seed."""


def method_options(wildcards):
    """Base, parameters and training options of a method for a modality."""
    method = CONFIG["methods"][wildcards.method]
    return as_json({"base": method["base"], **method["options"][wildcards.modality]})


def method_code(*engine):
    """Hash of what a method's stage executes: editing one method reruns that method alone."""

    def code(wildcards):
        return fingerprint(f"madad.methods.{CONFIG['methods'][wildcards.method]['base']}", *engine)

    return code


def card_resource(name):
    """A number from the `resources` of the method's card."""
    return lambda wildcards: method_card(wildcards)["resources"][name]


rule train:
    """Train a method on healthy subjects. Checkpoints lie outside the outputs, so that a killed training resumes."""
    input:
        train="results/packs/{cohort}/{modality}/train.h5",
        validation="results/packs/{cohort}/{modality}/validation.h5",
    output:
        model="<run>/model.safetensors",
        history="<run>/history.csv",
        info="<run>/train.json",
    log:
        "results/logs/train/{cohort}/{modality}/{method}/seed{seed}.log",
    benchmark:
        "results/benchmarks/train/{cohort}/{modality}/{method}/seed{seed}.jsonl"
    conda:
        "../envs/torch.yaml"
    threads: card_resource("threads")
    resources:
        gpu=card_resource("gpu"),
        mem_mb=card_resource("mem_mb"),
        runtime=card_resource("runtime_min"),
    params:
        method=method_options,
        run="results/runs/{cohort}/{modality}/{method}/seed{seed}",
        checkpoints="results/checkpoints/{cohort}/{modality}/{method}/seed{seed}",
        code=method_code("madad.engine.training"),
    shell:
        "python -m madad train --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --options {params.method:q} --train {input.train} --validation {input.validation}"
        " --run {params.run} --checkpoints {params.checkpoints} --threads {threads} --log {log}"
