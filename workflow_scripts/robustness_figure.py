"""Detection against the severity of artefacts."""

from madad.reporting import job, robustness_figures

job.logged(
    snakemake.log[0],
    robustness_figures.draw_robustness,
    metrics=snakemake.input[0],
    resamples=snakemake.params.resamples,
    **dict(snakemake.wildcards.items()),
    **dict(snakemake.output.items()),
)
