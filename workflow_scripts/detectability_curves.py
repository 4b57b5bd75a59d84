"""The figure of psychometric curves."""

from madad.reporting import run_step
from madad.reporting.figures import detectability

run_step.logged(
    snakemake.log[0],
    detectability.draw_curves,
    metrics=snakemake.input.metrics,
    samples=snakemake.input.samples,
    resamples=snakemake.params.resamples,
    **dict(snakemake.output.items()),
)
