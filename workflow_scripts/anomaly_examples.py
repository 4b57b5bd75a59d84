"""Pictures of the generator of synthetic lesions."""

from madad.reporting import anomalies, job

job.logged(
    snakemake.log[0],
    anomalies.draw_examples,
    examples=snakemake.input[0],
    png=snakemake.output.png,
    pdf=snakemake.output.pdf,
)
