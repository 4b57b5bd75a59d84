"""The table of lesions as objects."""

from madad.reporting import froc, job

job.logged(
    snakemake.log[0],
    froc.write_lesions,
    summary=snakemake.input[0],
    bases=snakemake.params.bases,
    **dict(snakemake.output.items()),
)
