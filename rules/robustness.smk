"""Test sets under noise, bias field, motion, blur, thick slices and another contrast, and how much of the detection remains.

Results on corrupted test sets are kept apart from all others, in a table and figures of their own.
"""


ruleorder: evaluate_corrupted > evaluate


rule corrupt:
    """Add every artefact to some samples of a test set, at every severity."""
    input:
        pack="results/packs/{testset}/{modality}/test.h5",
        intensity=lambda wildcards: preprocessing.intensity_model(PLAN, wildcards.testset, wildcards.modality),
    output:
        pack="results/packs/{testset}-corrupted/{modality}/test.h5",
        table="results/packs/{testset}-corrupted/{modality}/test.tsv",
    log:
        "results/logs/corrupt/{testset}/{modality}.log",
    priority: 30
    conda:
        "../envs/core.yaml"
    params:
        options=preprocessing.corruption_options(PLAN),
        code=fingerprint("madad.data.corruptions.corrupted"),
    shell:
        f"{MADAD} corrupt"
        " --pack {input.pack} --intensity {input.intensity} --out {output.pack} --table {output.table}"
        " --options {params.options:q} --log {log}"


rule evaluate_corrupted:
    """Score one method on a corrupted test set, with the thresholds of the original test set."""
    input:
        maps="<run>/eval/{testset}-corrupted/maps.h5",
        packs="results/packs/{testset}-corrupted/{modality}/test.h5",
        thresholds="<run>/eval/{testset}/metrics.tsv",
    output:
        table="<run>/eval/{testset}-corrupted/metrics.tsv",
        lesions="<run>/eval/{testset}-corrupted/lesions.tsv",
    log:
        "results/logs/evaluate/{cohort}/{modality}/{method}/seed{seed}/{testset}-corrupted.log",
    priority: 20
    conda:
        "../envs/core.yaml"
    threads: 1
    params:
        options=lambda wildcards: methods.evaluation_options(PLAN, wildcards.method),
        code=fingerprint("madad.evaluation.protocol.run"),
    shell:
        f"{MADAD} evaluate"
        " --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --testset {wildcards.testset}-corrupted --options {params.options:q} --maps {input.maps}"
        " --packs {input.packs} --thresholds {input.thresholds} --out {output.table} --workers {threads} --log {log}"
