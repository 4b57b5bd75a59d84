"""Scores of subjects."""

from madad.reporting import job, subjects

job.logged(
    snakemake.log[0],
    subjects.draw_subject_scores,
    metrics=snakemake.input[0],
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
