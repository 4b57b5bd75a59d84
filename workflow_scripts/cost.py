"""The cost table."""

from madad.reporting import run_step
from madad.reporting.tables import results

run_step.logged(
    snakemake.log[0],
    results.write_cost,
    summary=snakemake.input.summary,
    trainings=snakemake.input.trainings,
    bases=snakemake.params.bases,
    beneath=snakemake.params.beneath,
    csv=snakemake.output.csv,
    tex=snakemake.output.tex,
    html=snakemake.output.html,
)
