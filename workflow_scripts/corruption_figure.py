"""Pictures of the artefacts."""

from madad.reporting import run_step
from madad.reporting.figures import robustness

run_step.logged(
    snakemake.log[0],
    robustness.draw_corruptions,
    **dict(snakemake.input.items()),
    **dict(snakemake.output.items()),
)
