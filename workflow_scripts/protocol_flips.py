"""Rank of every method under every protocol."""

from madad.reporting import job, protocol_matrix

job.logged(
    snakemake.log[0],
    protocol_matrix.draw_protocols,
    summary=snakemake.input[0],
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
