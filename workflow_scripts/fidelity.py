"""Fidelity of reconstructions."""

from madad.reporting import fidelity, job

job.logged(
    snakemake.log[0],
    fidelity.write_fidelity,
    **dict(snakemake.input.items()),
    bases=snakemake.params.bases,
    resamples=snakemake.params.resamples,
    **dict(snakemake.output.items()),
)
