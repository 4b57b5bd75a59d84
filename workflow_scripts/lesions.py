"""The table of lesions as objects."""

from madad.reporting import run_step
from madad.reporting.tables import lesions

run_step.logged(
    snakemake.log[0],
    lesions.write_lesions,
    summary=snakemake.input[0],
    bases=snakemake.params.bases,
    **dict(snakemake.output.items()),
)
