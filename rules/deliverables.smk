"""A rule for every row of madad/reporting/deliverables, and the record of what made the numbers."""


rule provenance:
    """Effective configuration, versions and state of the code that made the numbers."""
    input:
        "results/tables/metrics.csv",
    output:
        "results/provenance.json",
    log:
        "results/logs/provenance.log",
    # between the tables and the page, which are one group
    group:
        "report"
    conda:
        "../envs/core.yaml"
    params:
        options=lambda wildcards: as_json(PLAN.config),
    shell:
        f"{MADAD} provenance" " --options {params.options:q} --out {output} --log {log}"


SECTIONS = deliverables.sections_of(PLAN)

for row in DELIVERABLES:

    rule:
        name:
            row.name
        input:
            **deliverables.inputs_of(PLAN, row),
        output:
            **deliverables.outputs_of(row, report, SECTIONS),
        log:
            row.log,
        group:
            row.group
        conda:
            f"../envs/{row.environment}.yaml"
        params:
            function=row.function,
            arguments=deliverables.arguments_of(PLAN, row),
            watched=deliverables.watched_by(PLAN, row),
            code=fingerprint(row.module),
            call=deliverables.call_of(PLAN, row),
        shell:
            f"{MADAD} deliver" " --log {log} <<< {params.call:q}"

    deliverables.describe(rules, row)
