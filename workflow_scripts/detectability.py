"""The table of the smallest lesions found."""

from madad.reporting import run_step
from madad.reporting.tables import detectability

run_step.logged(
    snakemake.log[0],
    detectability.write_detectability,
    metrics=snakemake.input.metrics,
    samples=snakemake.input.samples,
    resamples=snakemake.params.resamples,
    **dict(snakemake.output.items()),
)
