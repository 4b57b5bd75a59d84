"""Any table or figure of the report, and the steps before them."""

from madad.reporting import run_step

run_step.deliver(
    snakemake.log[0],
    snakemake.params.function,
    **dict(snakemake.input.items()),
    **dict(snakemake.output.items()),
    **snakemake.params.arguments,
)
