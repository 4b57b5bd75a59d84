"""Critical-difference diagrams."""

from madad.reporting import job, rank_figures

job.logged(
    snakemake.log[0],
    rank_figures.draw_critical_difference,
    comparisons=snakemake.input.comparisons,
    ranks=snakemake.input.ranks,
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
