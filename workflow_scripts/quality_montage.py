"""Quality pictures."""

from madad.reporting import run_step
from madad.reporting.quality import summary

run_step.logged(
    snakemake.log[0],
    summary.draw_montage,
    judged=snakemake.input,
    png=snakemake.output.png,
)
