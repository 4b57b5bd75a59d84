"""Means, intervals, spread over seeds and winners."""

from madad.evaluation.statistics import summary
from madad.reporting import run_step

run_step.logged(
    snakemake.log[0],
    summary.summarise,
    metrics=snakemake.input[0],
    out=snakemake.output[0],
    resamples=snakemake.params.resamples,
)
