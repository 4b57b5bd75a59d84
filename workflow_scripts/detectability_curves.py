"""The figure of psychometric curves."""

from madad.reporting import detectability_figures, job

job.logged(
    snakemake.log[0],
    detectability_figures.draw_curves,
    metrics=snakemake.input.metrics,
    samples=snakemake.input.samples,
    resamples=snakemake.params.resamples,
    **dict(snakemake.output.items()),
)
