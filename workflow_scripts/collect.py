"""All long tables as one."""

from madad.evaluation.results import collected
from madad.reporting import run_step

run_step.logged(
    snakemake.log[0],
    collected.collect,
    tables=snakemake.input,
    out=snakemake.output[0],
)
