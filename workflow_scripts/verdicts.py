"""The verdict on every image of a cohort."""

from madad.data.preprocessing import quality_control
from madad.reporting import run_step

run_step.logged(
    snakemake.log[0],
    quality_control.judge,
    tables=snakemake.input,
    options=snakemake.params.options,
    cohort=snakemake.wildcards.cohort,
    out=snakemake.output.table,
    record=snakemake.output.record,
)
