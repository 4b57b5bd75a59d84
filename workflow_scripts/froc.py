"""The figure of lesions found over false positives."""

from madad.reporting import run_step
from madad.reporting.figures import froc

run_step.logged(
    snakemake.log[0],
    froc.draw_froc,
    metrics=snakemake.input[0],
    **dict(snakemake.output.items()),
)
