"""Histograms under every method of normalisation."""

from madad.reporting import run_step
from madad.reporting.figures import normalisation

run_step.logged(
    snakemake.log[0],
    normalisation.draw_methods,
    **dict(snakemake.input.items()),
    options=snakemake.params.options,
    modality=snakemake.wildcards.modality,
    **dict(snakemake.output.items()),
)
