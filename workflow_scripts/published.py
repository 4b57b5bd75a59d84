"""Methods under the protocols of their papers."""

from madad.reporting import job, results_tables

job.logged(
    snakemake.log[0],
    results_tables.write_published,
    summary=snakemake.input[0],
    bases=snakemake.params.bases,
    csv=snakemake.output.csv,
    tex=snakemake.output.tex,
    html=snakemake.output.html,
)
