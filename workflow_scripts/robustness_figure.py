"""Detection against the severity of artefacts."""

from madad.reporting import run_step
from madad.reporting.figures import robustness

run_step.logged(
    snakemake.log[0],
    robustness.draw_robustness,
    metrics=snakemake.input[0],
    resamples=snakemake.params.resamples,
    **dict(snakemake.wildcards.items()),
    **dict(snakemake.output.items()),
)
