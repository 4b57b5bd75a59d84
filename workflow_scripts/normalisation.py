"""Histograms before and after normalisation."""

from madad.reporting import run_step
from madad.reporting.figures import normalisation

run_step.logged(
    snakemake.log[0],
    normalisation.draw_normalisation,
    **dict(snakemake.input.items()),
    modality=snakemake.wildcards.modality,
    **dict(snakemake.output.items()),
)
