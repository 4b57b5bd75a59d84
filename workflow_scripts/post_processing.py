"""The ablation of the post-processing."""

from madad.reporting import run_step
from madad.reporting.tables import protocol_matrix

run_step.logged(
    snakemake.log[0],
    protocol_matrix.write_post_processing,
    summary=snakemake.input[0],
    bases=snakemake.params.bases,
    csv=snakemake.output.csv,
    tex=snakemake.output.tex,
    html=snakemake.output.html,
)
