"""Mean errors in healthy brains."""

from madad.reporting import job, mean_maps

job.logged(
    snakemake.log[0],
    mean_maps.draw_mean_maps,
    mean_maps=snakemake.input,
    methods=snakemake.params.methods,
    block=dict(snakemake.wildcards.items()),
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
