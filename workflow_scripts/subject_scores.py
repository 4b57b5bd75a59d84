"""Scores of subjects."""

from madad.reporting import run_step
from madad.reporting.figures import subject_scores

run_step.logged(
    snakemake.log[0],
    subject_scores.draw_subject_scores,
    metrics=snakemake.input[0],
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
