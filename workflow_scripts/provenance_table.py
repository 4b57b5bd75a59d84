"""Configuration and versions, for the report."""

from madad.reporting import job, landing

job.logged(
    snakemake.log[0],
    landing.write_provenance,
    provenance=snakemake.input[0],
    out=snakemake.output[0],
)
