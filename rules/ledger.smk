"""What stands behind the numbers: who the test samples are, what was published, and whether anything leaked."""

from madad.reporting.reproduction import papers

# Cohorts of which a split is learnt from, chosen by or tested on.
TESTED = sorted({settings.cohort_of(testset) for testset in CONFIG["test_on"]})
USED_SPLITS = {"train": CONFIG["train_on"], "validation": COHORTS, "test": TESTED}


rule samples:
    """Covariates, lesions and origin of every sample of a test set; what was done to a derived one lies beside its pack."""
    input:
        pack="results/packs/{testset}/{modality}/test.h5",
        tables=lambda wildcards: (
            []
            if wildcards.testset in CONFIG["cohorts"]
            else [f"results/packs/{wildcards.testset}/{wildcards.modality}/test.tsv"]
        ),
    output:
        "results/samples/{testset}/{modality}.tsv",
    log:
        "results/logs/samples/{testset}/{modality}.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.evaluation.results.sample_covariates"),
    script:
        "../workflow_scripts/samples.py"


rule samples_joined:
    """The samples of all test sets."""
    input:
        sorted({"results/samples/{testset}/{modality}.tsv".format(**run) for run in RUNS_EVAL + RUNS_CORRUPTED}),
    output:
        "results/tables/samples.csv",
    log:
        "results/logs/samples_joined.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.evaluation.results.sample_covariates"),
    script:
        "../workflow_scripts/samples_joined.py"


rule ledger:
    """The papers' tables with this run's values beside the published ones."""
    input:
        summary="results/tables/summary.csv",
        trainings=train_json_files(RUNS + PART_RUNS),
    output:
        csv="results/tables/ledger.csv",
        tex="results/tables/ledger.tex",
        html=report(
            "results/tables/ledger.html",
            caption="../report/ledger.rst",
            category="2 Tables",
            labels={"Result": "Reproduction ledger"},
        ),
    log:
        "results/logs/ledger.log",
    conda:
        "../envs/core.yaml"
    params:
        bases={name: entry["base"] for name, entry in ENTRIES.items()},
        settings={
            name: {modality: options["parameters"] for modality, options in entry["options"].items()}
            for name, entry in ENTRIES.items()
        },
        parts={name: entry["parts"] for name, entry in ENTRIES.items()},
        cohorts={
            name: {
                "dataset": CONFIG["cohorts"][name]["dataset"],
                "spacing_mm": CONFIG["pipelines"][pipeline_of(name)]["spacing_mm"],
            }
            for name in COHORTS
        },
        papers=papers.digest(),
        cards=content_hash([cards.load(base) for base in sorted({entry["base"] for entry in ENTRIES.values()})]),
        code=fingerprint("madad.reporting.reproduction.ledger"),
    script:
        "../workflow_scripts/ledger.py"


rule leakage:
    """Whether a test subject, image or label can have found its way into a model or a threshold."""
    input:
        packs=finished(
            [
                f"results/packs/{cohort}/{modality}/{split}.h5"
                for modality in CONFIG["modalities"]
                for split, cohorts in USED_SPLITS.items()
                for cohort in cohorts
            ]
        ),
        trainings=train_json_files(RUNS + PART_RUNS),
        summary="results/tables/summary.csv",
    output:
        csv="results/tables/leakage.csv",
        html=report(
            "results/tables/leakage.html",
            caption="../report/leakage.rst",
            category="2 Tables",
            labels={"Result": "Leakage guard"},
        ),
        fragment="results/landing/leakage.html",
    log:
        "results/logs/leakage.log",
    conda:
        "../envs/core.yaml"
    params:
        setup={
            "tracks": TRACKS,
            "test_on": CONFIG["test_on"],
            "roots": {name: CONFIG["cohorts"][name]["root"] for name in COHORTS if CONFIG["cohorts"][name].get("root")},
            "lesion_masks": CONFIG["anomalies"]["lesion_masks"],
            "learns_shapes": [name for name, base in METHOD_BASES.items() if cards.load(base)["training_data"]["pairs"]],
        },
        code=fingerprint("madad.reporting.tables.leakage"),
    script:
        "../workflow_scripts/leakage.py"
