"""Pairs and ranks of methods, for people."""

from madad.reporting import job, significance

job.logged(
    snakemake.log[0],
    significance.write_tables,
    comparisons=snakemake.input.comparisons,
    ranks=snakemake.input.ranks,
    **dict(snakemake.output.items()),
)
