"""The cost table."""

from madad.reporting import job, results_tables

job.logged(
    snakemake.log[0],
    results_tables.write_cost,
    summary=snakemake.input.summary,
    trainings=snakemake.input.trainings,
    bases=snakemake.params.bases,
    beneath=snakemake.params.beneath,
    csv=snakemake.output.csv,
    tex=snakemake.output.tex,
    html=snakemake.output.html,
)
