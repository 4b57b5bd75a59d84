"""The figure of the strata of one test set."""

from madad.reporting import job, strata_figures

job.logged(
    snakemake.log[0],
    strata_figures.draw_strata,
    metrics=snakemake.input.metrics,
    samples=snakemake.input.samples,
    resamples=snakemake.params.resamples,
    **dict(snakemake.wildcards.items()),
    **dict(snakemake.output.items()),
)
