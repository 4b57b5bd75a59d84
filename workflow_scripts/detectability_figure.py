"""The figure of the smallest lesions found."""

from madad.reporting import detectability_figures, job

job.logged(
    snakemake.log[0],
    detectability_figures.draw_detectability,
    metrics=snakemake.input.metrics,
    samples=snakemake.input.samples,
    resamples=snakemake.params.resamples,
    **dict(snakemake.output.items()),
)
