"""Pictures of the artefacts."""

from madad.reporting import job, robustness_figures

job.logged(
    snakemake.log[0],
    robustness_figures.draw_corruptions,
    **dict(snakemake.input.items()),
    **dict(snakemake.output.items()),
)
