"""The same cases under every method."""

from madad.reporting import run_step
from madad.reporting.galleries import cases_by_method

run_step.logged(
    snakemake.log[0],
    cases_by_method.draw_side_by_side,
    maps=snakemake.input.maps,
    metrics=snakemake.input.metrics,
    packs=snakemake.input.packs,
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
