"""Pictures of the generator of synthetic lesions."""

from madad.reporting import run_step
from madad.reporting.galleries import synthetic_lesions

run_step.logged(
    snakemake.log[0],
    synthetic_lesions.draw_examples,
    examples=snakemake.input[0],
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
