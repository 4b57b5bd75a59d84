"""The samples of all test sets as one table."""

from madad.reporting import job, samples

job.logged(
    snakemake.log[0],
    samples.join_samples,
    tables=snakemake.input,
    out=snakemake.output[0],
)
