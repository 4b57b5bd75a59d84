"""Scores of subjects."""

from madad.reporting import curves, job

job.logged(
    snakemake.log[0],
    curves.draw_subject_scores,
    metrics=snakemake.input[0],
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
