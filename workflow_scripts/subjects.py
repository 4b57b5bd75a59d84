"""Subject-level detection."""

from madad.reporting import run_step
from madad.reporting.tables import subjects

run_step.logged(
    snakemake.log[0],
    subjects.write_subjects,
    metrics=snakemake.input[0],
    bases=snakemake.params.bases,
    **dict(snakemake.output.items()),
)
