"""From raw heads to the report: a table of contents. The rules are in rules/, the work is done by `python -m madad`."""

from snakemake.utils import min_version

min_version("9.20")


# of this file, also where another Snakefile uses it as a module
FOLDER = str(workflow.current_basedir)


configfile: f"{FOLDER}/config.yaml"


report: "report/workflow.rst"


pathvars:
    run="results/runs/{cohort}/{modality}/{method}/seed{seed}",


include: "rules/common.smk"
include: "rules/cohorts.smk"
include: "rules/preprocessing.smk"
include: "rules/anomalies.smk"
include: "rules/training.smk"
include: "rules/inference.smk"
include: "rules/exchange.smk"
include: "rules/evaluation.smk"
include: "rules/robustness.smk"
include: "rules/deliverables.smk"


rule all:
    """Everything the report shows."""
    default_target: True
    input:
        deliverables.targets(PLAN),
