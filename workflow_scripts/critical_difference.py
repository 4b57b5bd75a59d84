"""Critical-difference diagrams."""

from madad.reporting import run_step
from madad.reporting.figures import ranks as rank_figures

run_step.logged(
    snakemake.log[0],
    rank_figures.draw_critical_difference,
    comparisons=snakemake.input.comparisons,
    ranks=snakemake.input.ranks,
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
