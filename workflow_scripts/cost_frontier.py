"""Detection against cost."""

from madad.reporting import run_step
from madad.reporting.figures import cost

run_step.logged(
    snakemake.log[0],
    cost.draw_frontier,
    summary=snakemake.input.summary,
    trainings=snakemake.input.trainings,
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
