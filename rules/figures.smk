"""Figures of the report: PNG in the report, PDF beside it for papers."""


rule comparison:
    """Detection by every method on every test set, with intervals and single subjects."""
    input:
        summary="results/tables/summary.csv",
        metrics="results/tables/metrics.csv",
    output:
        png=report(
            "results/figures/comparison.png",
            caption="../report/comparison.rst",
            category="1 Headline",
            labels={"Result": "Comparison of methods", "Format": "figure"},
        ),
        pdf="results/figures/comparison.pdf",
        fragment="results/landing/comparison.html",
    log:
        "results/logs/comparison.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.figures.comparison"),
    script:
        "../workflow_scripts/comparison.py"


rule precision_recall:
    """Pooled precision over recall."""
    input:
        "results/tables/metrics.csv",
    output:
        png=report(
            "results/figures/precision_recall.png",
            caption="../report/precision_recall.rst",
            category="3 Detection",
            labels={"Result": "Precision and recall"},
        ),
        pdf="results/figures/precision_recall.pdf",
    log:
        "results/logs/precision_recall.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.figures.curves"),
    script:
        "../workflow_scripts/precision_recall.py"


rule score_distributions:
    """Scores of voxels in lesions and in healthy tissue."""
    input:
        "results/tables/metrics.csv",
    output:
        png=report(
            "results/figures/score_distributions.png",
            caption="../report/score_distributions.rst",
            category="3 Detection",
            labels={"Result": "Scores of voxels"},
        ),
        pdf="results/figures/score_distributions.pdf",
    log:
        "results/logs/score_distributions.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.figures.curves"),
    script:
        "../workflow_scripts/score_distributions.py"


rule subject_scores:
    """Scores of healthy subjects and of those with lesions."""
    input:
        "results/tables/metrics.csv",
    output:
        png=report(
            "results/figures/subject_scores.png",
            caption="../report/subject_scores.rst",
            category="3 Detection",
            labels={"Result": "Scores of subjects"},
        ),
        pdf="results/figures/subject_scores.pdf",
    log:
        "results/logs/subject_scores.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.figures.subject_scores"),
    script:
        "../workflow_scripts/subject_scores.py"


rule training_curves:
    """Losses of every training."""
    input:
        histories=history_files(RUNS + PART_RUNS),
        trainings=train_json_files(RUNS + PART_RUNS),
    output:
        png=report(
            "results/figures/training.png",
            caption="../report/training_curves.rst",
            category="7 Training",
            labels={"Result": "Training curves"},
        ),
        pdf="results/figures/training.pdf",
    log:
        "results/logs/training_curves.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.figures.curves"),
    script:
        "../workflow_scripts/training_curves.py"


rule cost_frontier:
    """Detection against time, memory and weights."""
    input:
        summary="results/tables/summary.csv",
        trainings=train_json_files(),
    output:
        png=report(
            "results/figures/cost.png",
            caption="../report/cost_frontier.rst",
            category="8 Cost",
            labels={"Result": "AUPRC against cost"},
        ),
        pdf="results/figures/cost.pdf",
    log:
        "results/logs/cost_frontier.log",
    conda:
        "../envs/core.yaml"
    params:
        code=fingerprint("madad.reporting.figures.cost"),
    script:
        "../workflow_scripts/cost_frontier.py"


rule noise_study:
    """Detection against the law of the noise, where methods differ in it."""
    input:
        "results/tables/summary.csv",
    output:
        png=report(
            "results/figures/noise_study.png",
            caption="../report/noise_study.rst",
            category="3 Detection",
            labels={"Result": "The role of noise"},
        ),
        pdf="results/figures/noise_study.pdf",
    log:
        "results/logs/noise_study.log",
    conda:
        "../envs/core.yaml"
    params:
        laws=NOISE_LAWS,
        code=fingerprint("madad.reporting.figures.noise_study"),
    script:
        "../workflow_scripts/noise_study.py"


rule noised:
    """One healthy slice under the noise of every method."""
    input:
        "results/packs/{cohort}/{modality}/train.h5",
    output:
        "results/noised/{cohort}/{modality}.npz",
    log:
        "results/logs/noised/{cohort}/{modality}.log",
    conda:
        "../envs/torch.yaml"
    params:
        laws=NOISE_LAWS,
        code=fingerprint("madad.models.diffusion.noise_examples"),
    script:
        "../workflow_scripts/noised.py"


rule noise_kinds:
    """Pictures of the noise."""
    input:
        "results/noised/{cohort}/{modality}.npz",
    output:
        png=report(
            "results/figures/noise_kinds_{cohort}_{modality}.png",
            caption="../report/noise_kinds.rst",
            category="3 Detection",
            labels={"Result": "Kinds of noise", "Sequence": "{modality}", "Trained on": "{cohort}"},
        ),
        pdf="results/figures/noise_kinds_{cohort}_{modality}.pdf",
    log:
        "results/logs/noise_kinds/{cohort}/{modality}.log",
    conda:
        "../envs/core.yaml"
    params:
        laws=NOISE_LAWS,
        code=fingerprint("madad.reporting.figures.noise_study"),
    script:
        "../workflow_scripts/noise_kinds.py"
