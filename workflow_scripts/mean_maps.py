"""Mean errors in healthy brains."""

from madad.reporting import run_step
from madad.reporting.galleries import mean_maps

run_step.logged(
    snakemake.log[0],
    mean_maps.draw_mean_maps,
    mean_maps=snakemake.input,
    methods=snakemake.params.methods,
    block=dict(snakemake.wildcards.items()),
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
