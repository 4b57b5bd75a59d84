"""All long tables as one."""

from madad.reporting import collect, job

job.logged(
    snakemake.log[0],
    collect.collect,
    tables=snakemake.input,
    out=snakemake.output[0],
)
