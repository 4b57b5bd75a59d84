"""The table of what artefacts cost."""

from madad.reporting import job, robustness

job.logged(
    snakemake.log[0],
    robustness.write_robustness,
    metrics=snakemake.input[0],
    resamples=snakemake.params.resamples,
    **dict(snakemake.output.items()),
)
