"""One slice under the noise of every method."""

from madad.models.diffusion import noise_examples
from madad.reporting import run_step

run_step.logged(
    snakemake.log[0], noise_examples.write_noised, pack=snakemake.input[0], laws=snakemake.params.laws, out=snakemake.output[0]
)
