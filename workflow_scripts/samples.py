"""What every sample of a test set is."""

from madad.evaluation.results import sample_covariates
from madad.reporting import run_step

run_step.logged(
    snakemake.log[0],
    sample_covariates.write_samples,
    pack=snakemake.input.pack,
    tables=snakemake.input.tables,
    testset=snakemake.wildcards.testset,
    out=snakemake.output[0],
)
