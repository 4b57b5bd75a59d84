"""The table of the smallest lesions found."""

from madad.reporting import detectability, job

job.logged(
    snakemake.log[0],
    detectability.write_detectability,
    metrics=snakemake.input.metrics,
    samples=snakemake.input.samples,
    resamples=snakemake.params.resamples,
    **dict(snakemake.output.items()),
)
