"""The same cases under every method."""

from madad.reporting import gallery, job

job.logged(
    snakemake.log[0],
    gallery.draw_side_by_side,
    maps=snakemake.input.maps,
    metrics=snakemake.input.metrics,
    packs=snakemake.input.packs,
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
