"""The table of what artefacts cost."""

from madad.reporting import run_step
from madad.reporting.tables import robustness

run_step.logged(
    snakemake.log[0],
    robustness.write_robustness,
    metrics=snakemake.input[0],
    resamples=snakemake.params.resamples,
    **dict(snakemake.output.items()),
)
