"""The papers' tables with this run's values beside the published ones."""

from madad.reporting import run_step
from madad.reporting.reproduction import ledger

run_step.logged(
    snakemake.log[0],
    ledger.write_ledger,
    summary=snakemake.input.summary,
    trainings=snakemake.input.trainings,
    bases=snakemake.params.bases,
    settings=snakemake.params.settings,
    parts=snakemake.params.parts,
    cohorts=snakemake.params.cohorts,
    **dict(snakemake.output.items()),
)
