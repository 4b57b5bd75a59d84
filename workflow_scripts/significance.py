"""Tests between methods and their ranks."""

from madad.reporting import run_step
from madad.reporting.tables import significance

run_step.logged(
    snakemake.log[0],
    significance.write_significance,
    metrics=snakemake.input[0],
    resamples=snakemake.params.resamples,
    comparisons=snakemake.output.comparisons,
    ranks=snakemake.output.ranks,
)
