"""Rank of every method under every protocol."""

from madad.reporting import run_step
from madad.reporting.tables import protocol_matrix

run_step.logged(
    snakemake.log[0],
    protocol_matrix.draw_protocols,
    summary=snakemake.input[0],
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
