"""Pictures of the noise."""

from madad.reporting import run_step
from madad.reporting.figures import noise_study

run_step.logged(
    snakemake.log[0],
    noise_study.draw_noised,
    noised=snakemake.input[0],
    laws=snakemake.params.laws,
    **dict(snakemake.output.items()),
)
