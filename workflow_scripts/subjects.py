"""Subject-level detection."""

from madad.reporting import job, subjects

job.logged(
    snakemake.log[0],
    subjects.write_subjects,
    metrics=snakemake.input[0],
    bases=snakemake.params.bases,
    **dict(snakemake.output.items()),
)
