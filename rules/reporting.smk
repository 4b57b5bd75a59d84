"""Tables of the report, from the long tables alone. Figures have files of their own."""


rule provenance:
    """Effective configuration, versions and state of the code that made the numbers."""
    input:
        "results/tables/metrics.csv",
    output:
        "results/provenance.json",
    log:
        "results/logs/provenance.log",
    conda:
        "../envs/core.yaml"
    params:
        options=lambda wildcards: as_json(CONFIG),
    shell:
        "python -m madad provenance --options {params.options:q} --out {output} --log {log}"


rule collect:
    """All long tables as one."""
    input:
        metrics_files(),
    output:
        "results/tables/metrics.csv",
    log:
        "results/logs/collect.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.evaluation.results.collected"),
    script:
        "../workflow_scripts/collect.py"


rule summarise:
    """Means, 95 % intervals over subjects, spread over seeds, and who wins outside the noise."""
    input:
        "results/tables/metrics.csv",
    output:
        "results/tables/summary.csv",
    log:
        "results/logs/summarise.log",
    conda:
        "../envs/core.yaml"
    params:
        resamples=CONFIG["evaluation"]["bootstrap"],
        code=fingerprint("madad.evaluation.statistics.summary"),
    script:
        "../workflow_scripts/summarise.py"


rule headline:
    """The table the report opens with."""
    input:
        summary="results/tables/summary.csv",
        trainings=train_json_files(),
    output:
        csv=report(
            "results/tables/headline.csv",
            caption="../report/headline.rst",
            category="1 Headline",
            labels={"Result": "Headline table", "Format": "csv"},
        ),
        html=report(
            "results/tables/headline.html",
            caption="../report/headline.rst",
            category="1 Headline",
            labels={"Result": "Headline table", "Format": "sortable page"},
        ),
        tex="results/tables/headline.tex",
        fragment="results/landing/headline.html",
    log:
        "results/logs/headline.log",
    conda:
        "../envs/core.yaml"
    params:
        bases=METHOD_BASES,
        tracks=TRACKS,
        code=fingerprint("madad.reporting.tables.results"),
    script:
        "../workflow_scripts/headline.py"


rule thresholds:
    """Dice under every way of choosing the threshold."""
    input:
        "results/tables/summary.csv",
    output:
        csv="results/tables/thresholds.csv",
        tex="results/tables/thresholds.tex",
        html=report(
            "results/tables/thresholds.html",
            caption="../report/thresholds.rst",
            category="2 Tables",
            labels={"Result": "Dice by threshold"},
        ),
    log:
        "results/logs/thresholds.log",
    conda:
        "../envs/core.yaml"
    params:
        bases=METHOD_BASES,
        code=fingerprint("madad.reporting.tables.results"),
    script:
        "../workflow_scripts/thresholds.py"


rule published:
    """Every method under the protocol of its own paper."""
    input:
        "results/tables/summary.csv",
    output:
        csv="results/tables/published.csv",
        tex="results/tables/published.tex",
        html=report(
            "results/tables/published.html",
            caption="../report/published.rst",
            category="2 Tables",
            labels={"Result": "The papers' own protocols"},
        ),
    log:
        "results/logs/published.log",
    conda:
        "../envs/core.yaml"
    params:
        bases=METHOD_BASES,
        code=fingerprint("madad.reporting.tables.results"),
    script:
        "../workflow_scripts/published.py"


rule cost:
    """What each method costs to train and to apply."""
    input:
        summary="results/tables/summary.csv",
        trainings=train_json_files(RUNS + PART_RUNS),
    output:
        csv="results/tables/cost.csv",
        tex="results/tables/cost.tex",
        html=report(
            "results/tables/cost.html",
            caption="../report/cost.rst",
            category="8 Cost",
            labels={"Result": "Cost table"},
        ),
    log:
        "results/logs/cost.log",
    conda:
        "../envs/core.yaml"
    params:
        bases=METHOD_BASES,
        beneath=BENEATH,
        code=fingerprint("madad.reporting.tables.results"),
    script:
        "../workflow_scripts/cost.py"


rule provenance_table:
    """Configuration and versions, for the report."""
    input:
        "results/provenance.json",
    output:
        report(
            "results/tables/provenance.html",
            caption="../report/provenance.rst",
            category="2 Tables",
            labels={"Result": "Provenance"},
        ),
    log:
        "results/logs/provenance_table.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.layout.first_page"),
    script:
        "../workflow_scripts/provenance_table.py"
