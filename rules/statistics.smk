"""Tests between methods, their ranks, and what the choice of a protocol does to both."""


rule significance:
    """Every pair of methods and every rank, on every measure that has a winner."""
    input:
        "results/tables/metrics.csv",
    output:
        comparisons=report(
            "results/tables/comparisons.csv",
            caption="../report/comparisons.rst",
            category="4 Statistics",
            labels={"Result": "Pairs of methods", "Format": "csv, every measure"},
        ),
        ranks=report(
            "results/tables/ranks.csv",
            caption="../report/ranks.rst",
            category="4 Statistics",
            labels={"Result": "Ranks of methods", "Format": "csv, every measure"},
        ),
    log:
        "results/logs/significance.log",
    conda:
        "../envs/core.yaml"
    params:
        resamples=CONFIG["evaluation"]["bootstrap"],
        code=fingerprint("madad.reporting.tables.significance"),
    script:
        "../workflow_scripts/significance.py"


rule significance_tables:
    """The same for people, for AUPRC and Dice."""
    input:
        comparisons="results/tables/comparisons.csv",
        ranks="results/tables/ranks.csv",
    output:
        comparisons_tex="results/tables/comparisons.tex",
        comparisons_html=report(
            "results/tables/comparisons.html",
            caption="../report/comparisons.rst",
            category="4 Statistics",
            labels={"Result": "Pairs of methods", "Format": "sortable page"},
        ),
        ranks_tex="results/tables/ranks.tex",
        ranks_html=report(
            "results/tables/ranks.html",
            caption="../report/ranks.rst",
            category="4 Statistics",
            labels={"Result": "Ranks of methods", "Format": "sortable page"},
        ),
    log:
        "results/logs/significance_tables.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.tables.significance"),
    script:
        "../workflow_scripts/significance_tables.py"


rule critical_difference:
    """Mean ranks, and the groups that no test tells apart."""
    input:
        comparisons="results/tables/comparisons.csv",
        ranks="results/tables/ranks.csv",
    output:
        png=report(
            "results/figures/critical_difference.png",
            caption="../report/critical_difference.rst",
            category="4 Statistics",
            labels={"Result": "Critical-difference diagrams", "Format": "figure"},
        ),
        pdf="results/figures/critical_difference.pdf",
    log:
        "results/logs/critical_difference.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.figures.ranks"),
    script:
        "../workflow_scripts/critical_difference.py"


rule rank_probabilities:
    """How sure the place of every method is."""
    input:
        "results/tables/ranks.csv",
    output:
        png=report(
            "results/figures/rank_probabilities.png",
            caption="../report/rank_probabilities.rst",
            category="4 Statistics",
            labels={"Result": "Probability of every rank", "Format": "figure"},
        ),
        pdf="results/figures/rank_probabilities.pdf",
    log:
        "results/logs/rank_probabilities.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.figures.ranks"),
    script:
        "../workflow_scripts/rank_probabilities.py"


rule protocols:
    """Dice under every protocol of the literature, from the same maps."""
    input:
        "results/tables/summary.csv",
    output:
        csv="results/tables/protocols.csv",
        tex="results/tables/protocols.tex",
        html=report(
            "results/tables/protocols.html",
            caption="../report/protocols.rst",
            category="2 Tables",
            labels={"Result": "Protocol matrix"},
        ),
    log:
        "results/logs/protocols.log",
    conda:
        "../envs/core.yaml"
    params:
        bases=METHOD_BASES,
        code=fingerprint("madad.reporting.tables.protocol_matrix"),
    script:
        "../workflow_scripts/protocols.py"


rule post_processing:
    """What each step of the post-processing does."""
    input:
        "results/tables/summary.csv",
    output:
        csv="results/tables/post_processing.csv",
        tex="results/tables/post_processing.tex",
        html=report(
            "results/tables/post_processing.html",
            caption="../report/post_processing.rst",
            category="2 Tables",
            labels={"Result": "Post-processing"},
        ),
    log:
        "results/logs/post_processing.log",
    conda:
        "../envs/core.yaml"
    params:
        bases=METHOD_BASES,
        code=fingerprint("madad.reporting.tables.protocol_matrix"),
    script:
        "../workflow_scripts/post_processing.py"


rule protocol_flips:
    """Which rankings flip with the protocol."""
    input:
        "results/tables/summary.csv",
    output:
        png=report(
            "results/figures/protocols.png",
            caption="../report/protocol_flips.rst",
            category="4 Statistics",
            labels={"Result": "Ranks by protocol", "Format": "figure"},
        ),
        pdf="results/figures/protocols.pdf",
    log:
        "results/logs/protocol_flips.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.tables.protocol_matrix"),
    script:
        "../workflow_scripts/protocol_flips.py"
