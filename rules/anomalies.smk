"""Synthetic lesions with exact references: a bank of lesion maps, test sets made from held-out healthy subjects, and pictures."""


rule bank:
    """Warp one shard of the bank of lesion maps on a pipeline's template grid."""
    input:
        template=lambda wildcards: local(startup.dated(workflow, preprocessing.newest_template(PLAN, wildcards.pipeline))),
        masks=lambda wildcards: local(startup.dated(workflow, anomalies.newest_mask(PLAN))),
        pack=lambda wildcards: anomalies.bank_pack(PLAN, wildcards.pipeline),
    output:
        "results/banks/{pipeline}/{shard}-of-{shards}.h5",
    log:
        "results/logs/bank/{pipeline}/{shard}-of-{shards}.log",
    benchmark:
        "results/benchmarks/bank/{pipeline}/{shard}-of-{shards}.jsonl"
    priority: 30
    conda:
        "../envs/anomalies.yaml"
    params:
        options=lambda wildcards: anomalies.bank_options(PLAN, wildcards.pipeline),
        template=lambda wildcards: preprocessing.template_files(PLAN, wildcards.pipeline),
        masks=lambda wildcards: anomalies.lesion_masks(PLAN),
        code=fingerprint("madad.data.anomalies.bank"),
    shell:
        f"{MADAD} bank --pack {{input.pack}}"
        " --shard {wildcards.shard} --shards {wildcards.shards} --out {output} --options {params.options:q} --log {log}"


rule implant:
    """Implant lesions into the healthy subjects of a split."""
    input:
        pack="results/packs/{cohort}/{modality}/{split}.h5",
        masks=lambda wildcards: local(startup.dated(workflow, anomalies.newest_mask(PLAN))),
    output:
        pack="results/packs/{cohort}-implanted/{modality}/{split}.h5",
        table="results/packs/{cohort}-implanted/{modality}/{split}.tsv",
    log:
        "results/logs/implant/{cohort}/{modality}/{split}.log",
    priority: 30
    conda:
        "../envs/anomalies.yaml"
    params:
        options=lambda wildcards: anomalies.implant_options(PLAN, wildcards.cohort),
        masks=lambda wildcards: anomalies.lesion_masks(PLAN),
        code=fingerprint("madad.data.anomalies.implanted"),
    shell:
        f"{MADAD} implant"
        " --pack {input.pack} --out {output.pack} --table {output.table}"
        " --options {params.options:q} --log {log}"


rule anomaly_examples:
    """Make slices of one lesion at several times and of pairs of training images."""
    input:
        pack="results/packs/{cohort}/{modality}/train.h5",
        banks=lambda wildcards: anomalies.banks(PLAN, PLAN.pipeline_of(wildcards.cohort)),
    output:
        "results/banks/examples/{cohort}/{modality}.npz",
    log:
        "results/logs/anomaly_examples/{cohort}/{modality}.log",
    conda:
        "../envs/anomalies.yaml"
    params:
        options=lambda wildcards: anomalies.bank_options(PLAN, PLAN.pipeline_of(wildcards.cohort)),
        code=fingerprint("madad.data.anomalies.examples"),
    shell:
        f"{MADAD} examples"
        " --pack {input.pack} --banks {input.banks} --out {output}"
        " --options {params.options:q} --log {log}"
