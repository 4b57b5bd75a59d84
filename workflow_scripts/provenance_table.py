"""Configuration and versions, for the report."""

from madad.reporting import run_step
from madad.reporting.layout import first_page

run_step.logged(
    snakemake.log[0],
    first_page.write_provenance,
    provenance=snakemake.input[0],
    out=snakemake.output[0],
)
