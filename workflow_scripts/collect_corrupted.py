"""The numbers of corrupted samples and of the same samples without an artefact."""

from madad.reporting import run_step
from madad.reporting.tables import robustness

run_step.logged(
    snakemake.log[0],
    robustness.collect,
    metrics=snakemake.input.metrics,
    clean=snakemake.input.clean,
    samples=snakemake.input.samples,
    out=snakemake.output[0],
)
