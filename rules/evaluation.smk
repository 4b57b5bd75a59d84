"""Evaluation: metrics from stored maps alone, without GPU or torch."""


rule evaluate:
    """Score one method on one test set under every protocol."""
    input:
        maps="<run>/eval/{testset}/maps.h5",
        packs=lambda wildcards: paths.packs(wildcards.testset, wildcards.modality),
        calibration_maps=lambda wildcards: methods.calibration_maps(wildcards),
        calibration_pack=lambda wildcards: methods.calibration_pack(wildcards),
    output:
        table="<run>/eval/{testset}/metrics.tsv",
        means="<run>/eval/{testset}/mean_maps.npz",
        lesions="<run>/eval/{testset}/lesions.tsv",
    log:
        "results/logs/evaluate/{cohort}/{modality}/{method}/seed{seed}/{testset}.log",
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
        " --seed {wildcards.seed} --testset {wildcards.testset} --options {params.options:q} --maps {input.maps}"
        " --packs {input.packs} --calibration-maps {input.calibration_maps} --calibration-pack {input.calibration_pack}"
        " --out {output.table} --workers {threads} --log {log}"


rule ceilings:
    """Score the reference masks of a test set as if they were maps: the most that a method can reach under each protocol."""
    input:
        packs=lambda wildcards: paths.packs(wildcards.testset, wildcards.modality),
        calibration_pack=lambda wildcards: methods.calibration_pack(wildcards),
    output:
        "results/ceilings/{cohort}/{modality}/{testset}.tsv",
    log:
        "results/logs/ceilings/{cohort}/{modality}/{testset}.log",
    priority: 20
    conda:
        "../envs/core.yaml"
    threads: 1
    params:
        options=lambda wildcards: methods.ceiling_options(PLAN),
        code=fingerprint("madad.evaluation.protocol.ceilings"),
    shell:
        f"{MADAD} ceilings --cohort {{wildcards.cohort}} --modality {{wildcards.modality}} --testset {{wildcards.testset}}"
        " --options {params.options:q} --packs {input.packs} --calibration-pack {input.calibration_pack}"
        " --out {output} --workers {threads} --log {log}"


rule export_masks:
    """Write the maps of a test set cut at a named threshold as NIfTI masks and pictures: true, false and missed voxels."""
    input:
        maps="<run>/eval/{testset}/maps.h5",
        packs=lambda wildcards: paths.packs(wildcards.testset, wildcards.modality),
        table="<run>/eval/{testset}/metrics.tsv",
    output:
        directory("<run>/eval/{testset}/masks/{protocol}"),
    log:
        "results/logs/export_masks/{cohort}/{modality}/{method}/seed{seed}/{testset}/{protocol}.log",
    conda:
        "../envs/core.yaml"
    params:
        options=lambda wildcards: methods.evaluation_options(PLAN, wildcards.method),
        code=fingerprint("madad.evaluation.protocol.mask_export", "madad.reporting.galleries.mask_pictures"),
    shell:
        f"{MADAD} export-masks"
        " --maps {input.maps} --packs {input.packs} --options {params.options:q} --table {input.table}"
        " --protocol {wildcards.protocol} --folder {output} --log {log}"


rule masks:
    """Export every map cut at the validation threshold; not part of the default run."""
    input:
        methods.mask_folders(PLAN),
