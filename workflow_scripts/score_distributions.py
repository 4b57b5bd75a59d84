"""Histograms of voxel scores."""

from madad.reporting import run_step
from madad.reporting.figures import curves

run_step.logged(
    snakemake.log[0],
    curves.draw_score_distributions,
    metrics=snakemake.input[0],
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
