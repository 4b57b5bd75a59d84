"""Detection against cost."""

from madad.reporting import frontier, job

job.logged(
    snakemake.log[0],
    frontier.draw_frontier,
    summary=snakemake.input.summary,
    trainings=snakemake.input.trainings,
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
