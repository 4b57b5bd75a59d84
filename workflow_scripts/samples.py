"""What every sample of a test set is."""

from madad.reporting import job, samples

job.logged(
    snakemake.log[0],
    samples.write_samples,
    pack=snakemake.input.pack,
    tables=snakemake.input.tables,
    testset=snakemake.wildcards.testset,
    out=snakemake.output[0],
)
