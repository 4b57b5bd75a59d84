"""Tests between methods and their ranks."""

from madad.reporting import job, significance

job.logged(
    snakemake.log[0],
    significance.write_significance,
    metrics=snakemake.input[0],
    resamples=snakemake.params.resamples,
    comparisons=snakemake.output.comparisons,
    ranks=snakemake.output.ranks,
)
