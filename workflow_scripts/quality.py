"""The table of subjects and their quality."""

from madad.reporting import run_step
from madad.reporting.quality import summary

run_step.logged(
    snakemake.log[0],
    summary.write_quality,
    judged=snakemake.input.judged,
    excluded=snakemake.input.excluded,
    csv=snakemake.output.csv,
    html=snakemake.output.html,
)
