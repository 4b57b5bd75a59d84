"""Cases of one method."""

from madad.reporting import run_step
from madad.reporting.galleries import cases_by_method

run_step.logged(
    snakemake.log[0],
    cases_by_method.draw_gallery,
    maps=snakemake.input.maps[0],
    metrics=snakemake.input.metrics[0],
    packs=snakemake.input.packs,
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
