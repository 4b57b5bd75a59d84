"""The samples of all test sets as one table."""

from madad.evaluation.results import sample_covariates
from madad.reporting import run_step

run_step.logged(
    snakemake.log[0],
    sample_covariates.join_samples,
    tables=snakemake.input,
    out=snakemake.output[0],
)
