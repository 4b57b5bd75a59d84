"""Losses over steps."""

from madad.reporting import run_step
from madad.reporting.figures import curves

run_step.logged(
    snakemake.log[0],
    curves.draw_training,
    histories=snakemake.input.histories,
    trainings=snakemake.input.trainings,
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
