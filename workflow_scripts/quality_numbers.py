"""Distributions of the quality numbers."""

from madad.reporting import run_step
from madad.reporting.quality import summary

run_step.logged(
    snakemake.log[0],
    summary.draw_quality,
    judged=snakemake.input,
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
