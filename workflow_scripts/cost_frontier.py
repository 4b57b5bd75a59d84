"""Detection against time."""

from madad.reporting import comparison, job

job.logged(
    snakemake.log[0],
    comparison.draw_cost,
    summary=snakemake.input[0],
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
