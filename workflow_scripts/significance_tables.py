"""Pairs and ranks of methods, for people."""

from madad.reporting import run_step
from madad.reporting.tables import significance

run_step.logged(
    snakemake.log[0],
    significance.write_tables,
    comparisons=snakemake.input.comparisons,
    ranks=snakemake.input.ranks,
    **dict(snakemake.output.items()),
)
