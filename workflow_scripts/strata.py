"""The table of strata."""

from madad.reporting import run_step
from madad.reporting.tables import strata

run_step.logged(
    snakemake.log[0],
    strata.write_strata,
    metrics=snakemake.input.metrics,
    samples=snakemake.input.samples,
    resamples=snakemake.params.resamples,
    **dict(snakemake.output.items()),
)
