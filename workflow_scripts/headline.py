"""The headline table."""

from madad.reporting import job, results_tables

job.logged(
    snakemake.log[0],
    results_tables.write_headline,
    summary=snakemake.input.summary,
    trainings=snakemake.input.trainings,
    bases=snakemake.params.bases,
    tracks=snakemake.params.tracks,
    **dict(snakemake.output.items()),
)
