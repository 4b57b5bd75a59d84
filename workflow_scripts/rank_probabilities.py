"""Probability of every rank."""

from madad.reporting import job, rank_figures

job.logged(
    snakemake.log[0],
    rank_figures.draw_rank_probabilities,
    ranks=snakemake.input[0],
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
