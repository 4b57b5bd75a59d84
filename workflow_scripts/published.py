"""Methods under the protocols of their papers."""

from madad.reporting import run_step
from madad.reporting.tables import results

run_step.logged(
    snakemake.log[0],
    results.write_published,
    summary=snakemake.input[0],
    bases=snakemake.params.bases,
    csv=snakemake.output.csv,
    tex=snakemake.output.tex,
    html=snakemake.output.html,
)
