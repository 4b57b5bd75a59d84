"""The configuration, and the names that the rules of every stage share. Nothing here imports torch or ants.

Priorities, where several jobs could start: first what trainings wait for (30), then what makes numbers from a finished training
(20), then the next training (10), then pictures and tables (0), which nothing waits for.
"""

import sys

sys.path.insert(0, FOLDER)

from madad.core.errors import UserError
from madad.core.provenance import fingerprint
from madad.reporting.deliverables.registry import DELIVERABLES
from madad.workflow import anomalies, cohorts, deliverables, exchange, methods, paths, patterns, preprocessing, startup
from madad.workflow.parameters import as_json
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

try:
    PLAN = startup.plan(config, FOLDER, workflow.modifier.skip_configfile, workflow.modifier.modify_path("results"))
except UserError as error:
    raise WorkflowError(str(error)) from None

startup.set_environment(FOLDER)
startup.tell_forecast(PLAN)
# what every shell command calls
MADAD = startup.PROGRAM


wildcard_constraints:
    **patterns.wildcards(PLAN),


onstart:
    # not in a dry run, where nothing is written
    COHORTS = startup.understood(PLAN)
    logger.info(startup.cohort_lines(COHORTS))
    try:
        startup.check_groups(PLAN, COHORTS, list(workflow.dag.needrun_jobs()))
    except UserError as error:
        raise WorkflowError(str(error)) from None
    cohorts.refresh(PLAN)
    logger.log(*startup.first_lines(PLAN))
    startup.share_start_up()
