"""Probability of every rank."""

from madad.reporting import run_step
from madad.reporting.figures import ranks as rank_figures

run_step.logged(
    snakemake.log[0],
    rank_figures.draw_rank_probabilities,
    ranks=snakemake.input[0],
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
