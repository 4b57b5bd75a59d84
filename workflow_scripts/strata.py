"""The table of strata."""

from madad.reporting import job, strata

job.logged(
    snakemake.log[0],
    strata.write_strata,
    metrics=snakemake.input.metrics,
    samples=snakemake.input.samples,
    resamples=snakemake.params.resamples,
    **dict(snakemake.output.items()),
)
