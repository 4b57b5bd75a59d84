"""Means, intervals, spread over seeds and winners."""

from madad.reporting import job, summary

job.logged(
    snakemake.log[0],
    summary.summarise,
    metrics=snakemake.input[0],
    out=snakemake.output[0],
    resamples=snakemake.params.resamples,
)
