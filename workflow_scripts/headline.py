"""The headline table."""

from madad.reporting import run_step
from madad.reporting.tables import results

run_step.logged(
    snakemake.log[0],
    results.write_headline,
    summary=snakemake.input.summary,
    trainings=snakemake.input.trainings,
    bases=snakemake.params.bases,
    tracks=snakemake.params.tracks,
    **dict(snakemake.output.items()),
)
