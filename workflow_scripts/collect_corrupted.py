"""The numbers of corrupted samples and of the same samples without an artefact."""

from madad.reporting import job, robustness

job.logged(
    snakemake.log[0],
    robustness.collect,
    metrics=snakemake.input.metrics,
    clean=snakemake.input.clean,
    samples=snakemake.input.samples,
    out=snakemake.output[0],
)
