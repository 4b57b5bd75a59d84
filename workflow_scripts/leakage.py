"""The leakage guard."""

from madad.reporting import run_step
from madad.reporting.tables import leakage

run_step.logged(
    snakemake.log[0],
    leakage.write_leakage,
    packs=snakemake.input.packs,
    trainings=snakemake.input.trainings,
    summary=snakemake.input.summary,
    setup=snakemake.params.setup,
    **dict(snakemake.output.items()),
)
