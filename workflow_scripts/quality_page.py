"""The page on which a person judges the images."""

from madad.reporting import run_step
from madad.reporting.quality import review_page

run_step.logged(
    snakemake.log[0],
    review_page.write_page,
    **dict(snakemake.input.items()),
    lists=snakemake.params.lists,
    out=snakemake.output[0],
)
