"""Numbers from stored maps alone: no GPU, no torch."""


rule evaluate:
    """Score one method on one test set under every protocol."""
    input:
        maps="<run>/eval/{testset}/maps.h5",
        packs=lambda wildcards: packs_for(wildcards.testset, wildcards.modality),
        calibration_maps=calibration("results/runs/{cohort}/{modality}/{method}/seed{seed}/calibration/maps.h5"),
        calibration_pack=calibration("results/packs/{cohort}/{modality}/validation.h5"),
    output:
        table="<run>/eval/{testset}/metrics.tsv",
        means="<run>/eval/{testset}/mean_maps.npz",
    log:
        "results/logs/evaluate/{cohort}/{modality}/{method}/seed{seed}/{testset}.log",
    conda:
        "../envs/core.yaml"
    threads: 2
    params:
        options=evaluation_options,
        code=fingerprint("madad.evaluation.protocol.run"),
    shell:
        "python -m madad evaluate --cohort {wildcards.cohort} --modality {wildcards.modality} --method {wildcards.method}"
        " --seed {wildcards.seed} --testset {wildcards.testset} --options {params.options:q} --maps {input.maps}"
        " --packs {input.packs} --calibration-maps {input.calibration_maps} --calibration-pack {input.calibration_pack}"
        " --out {output.table} --workers {threads} --log {log}"
