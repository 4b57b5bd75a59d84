"""Synthetic lesions with exact truth in held-out healthy subjects."""


rule implant:
    """Implant lesions into the healthy subjects of a split."""
    input:
        "results/packs/{cohort}/{modality}/{split}.h5",
    output:
        pack="results/packs/{cohort}-implanted/{modality}/{split}.h5",
        table="results/packs/{cohort}-implanted/{modality}/{split}.tsv",
    log:
        "results/logs/implant/{cohort}/{modality}/{split}.log",
    conda:
        "../envs/core.yaml"
    params:
        options=as_json(CONFIG["implanted"]),
        code=fingerprint("madad.anomalies.testsets"),
    shell:
        "python -m madad implant --pack {input} --out {output.pack} --table {output.table}"
        " --options {params.options:q} --log {log}"
