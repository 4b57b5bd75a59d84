"""Fidelity of reconstructions."""

from madad.reporting import run_step
from madad.reporting.tables import fidelity

run_step.logged(
    snakemake.log[0],
    fidelity.write_fidelity,
    **dict(snakemake.input.items()),
    bases=snakemake.params.bases,
    resamples=snakemake.params.resamples,
    **dict(snakemake.output.items()),
)
