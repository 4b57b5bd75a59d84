"""Cases of one method."""

from madad.reporting import gallery, job

job.logged(
    snakemake.log[0],
    gallery.draw_gallery,
    maps=snakemake.input.maps[0],
    metrics=snakemake.input.metrics[0],
    packs=snakemake.input.packs,
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
