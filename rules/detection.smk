"""Lesions as objects, how large one must be to be found, and for whom it works. Samples come from rules/ledger.smk."""


rule lesions:
    """Lesion-wise detection, surfaces and volume."""
    input:
        "results/tables/summary.csv",
    output:
        csv=report(
            "results/tables/lesions.csv",
            caption="../report/lesions.rst",
            category="3 Detection",
            labels={"Result": "Lesions", "Format": "csv"},
        ),
        html=report(
            "results/tables/lesions.html",
            caption="../report/lesions.rst",
            category="3 Detection",
            labels={"Result": "Lesions", "Format": "sortable page"},
        ),
        tex="results/tables/lesions.tex",
    log:
        "results/logs/lesions.log",
    conda:
        "../envs/core.yaml"
    params:
        bases=METHOD_BASES,
        code=fingerprint("madad.reporting.tables.lesions"),
    script:
        "../workflow_scripts/lesions.py"


rule froc:
    """Lesions found over false positives a scan."""
    input:
        "results/tables/metrics.csv",
    output:
        png=report(
            "results/figures/froc.png",
            caption="../report/froc.rst",
            category="3 Detection",
            labels={"Result": "FROC", "Format": "figure"},
        ),
        pdf="results/figures/froc.pdf",
    log:
        "results/logs/froc.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.figures.froc"),
    script:
        "../workflow_scripts/froc.py"


rule detectability:
    """The smallest lesion that every method finds."""
    input:
        metrics="results/tables/metrics.csv",
        samples="results/tables/samples.csv",
    output:
        csv=report(
            "results/tables/detectability.csv",
            caption="../report/detectability.rst",
            category="3 Detection",
            labels={"Result": "Smallest lesion found", "Format": "csv"},
        ),
        html=report(
            "results/tables/detectability.html",
            caption="../report/detectability.rst",
            category="3 Detection",
            labels={"Result": "Smallest lesion found", "Format": "sortable page"},
        ),
        tex="results/tables/detectability.tex",
    log:
        "results/logs/detectability.log",
    conda:
        "../envs/core.yaml"
    params:
        resamples=CONFIG["evaluation"]["bootstrap"],
        code=fingerprint("madad.reporting.tables.detectability"),
    script:
        "../workflow_scripts/detectability.py"


rule detectability_figure:
    """The same as a figure, with the false positives it costs."""
    input:
        metrics="results/tables/metrics.csv",
        samples="results/tables/samples.csv",
    output:
        png=report(
            "results/figures/detectability.png",
            caption="../report/detectability_figure.rst",
            category="3 Detection",
            labels={"Result": "Smallest lesion found", "Format": "figure"},
        ),
        pdf="results/figures/detectability.pdf",
    log:
        "results/logs/detectability_figure.log",
    conda:
        "../envs/core.yaml"
    params:
        resamples=CONFIG["evaluation"]["bootstrap"],
        code=fingerprint("madad.reporting.figures.detectability"),
    script:
        "../workflow_scripts/detectability_figure.py"


rule detectability_curves:
    """Psychometric curves behind it."""
    input:
        metrics="results/tables/metrics.csv",
        samples="results/tables/samples.csv",
    output:
        png=report(
            "results/figures/detectability_curves.png",
            caption="../report/detectability_curves.rst",
            category="3 Detection",
            labels={"Result": "Detectability curves", "Format": "figure"},
        ),
        pdf="results/figures/detectability_curves.pdf",
    log:
        "results/logs/detectability_curves.log",
    conda:
        "../envs/core.yaml"
    params:
        resamples=CONFIG["evaluation"]["bootstrap"],
        code=fingerprint("madad.reporting.figures.detectability"),
    script:
        "../workflow_scripts/detectability_curves.py"


rule strata:
    """Detection by lesion volume, contrast, place, site, age and sex."""
    input:
        metrics="results/tables/metrics.csv",
        samples="results/tables/samples.csv",
    output:
        csv=report(
            "results/tables/strata.csv",
            caption="../report/strata.rst",
            category="3 Detection",
            labels={"Result": "By stratum", "Format": "csv"},
        ),
        html=report(
            "results/tables/strata.html",
            caption="../report/strata.rst",
            category="3 Detection",
            labels={"Result": "By stratum", "Format": "sortable page"},
        ),
        tex="results/tables/strata.tex",
    log:
        "results/logs/strata.log",
    conda:
        "../envs/core.yaml"
    params:
        resamples=CONFIG["evaluation"]["bootstrap"],
        code=fingerprint("madad.reporting.tables.strata"),
    script:
        "../workflow_scripts/strata.py"


rule strata_figure:
    """The same of one test set as a figure."""
    input:
        metrics="results/tables/metrics.csv",
        samples="results/tables/samples.csv",
    output:
        png=report(
            "results/figures/strata_{cohort}_{modality}_{testset}.png",
            caption="../report/strata_figure.rst",
            category="3 Detection",
            labels={"Result": "By stratum", "Test set": "{testset}", "Sequence": "{modality}", "Trained on": "{cohort}"},
        ),
        pdf="results/figures/strata_{cohort}_{modality}_{testset}.pdf",
    log:
        "results/logs/strata_figure/{cohort}/{modality}/{testset}.log",
    conda:
        "../envs/core.yaml"
    params:
        resamples=CONFIG["evaluation"]["bootstrap"],
        code=fingerprint("madad.reporting.figures.strata"),
    script:
        "../workflow_scripts/strata_figure.py"
