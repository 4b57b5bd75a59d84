"""The figure of the strata of one test set."""

from madad.reporting import run_step
from madad.reporting.figures import strata

run_step.logged(
    snakemake.log[0],
    strata.draw_strata,
    metrics=snakemake.input.metrics,
    samples=snakemake.input.samples,
    resamples=snakemake.params.resamples,
    **dict(snakemake.wildcards.items()),
    **dict(snakemake.output.items()),
)
