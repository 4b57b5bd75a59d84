"""The main figure."""

from madad.reporting import run_step
from madad.reporting.figures import comparison

run_step.logged(
    snakemake.log[0],
    comparison.draw_comparison,
    summary=snakemake.input.summary,
    metrics=snakemake.input.metrics,
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
    fragment=snakemake.output.fragment,
)
