"""Numbers from stored maps alone: no GPU, no torch."""


rule evaluate:
    """Score one method on one test set under every protocol."""
    input:
        maps="<run>/eval/{testset}/maps.h5",
        packs=lambda wildcards: packs_for(wildcards.testset, wildcards.modality),
    output:
        "<run>/eval/{testset}/metrics.tsv",
    log:
        "results/logs/evaluate/{cohort}/{modality}/{method}/seed{seed}/{testset}.log",
    conda:
        "../envs/core.yaml"
    params:
        options=evaluation_options,
        code=fingerprint("madad.evaluation.protocol"),
    shell:
        "python -m madad evaluate --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --testset {wildcards.testset} --options {params.options:q} --maps {input.maps}"
        " --packs {input.packs} --out {output} --log {log}"
