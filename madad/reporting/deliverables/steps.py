"""Steps between the evaluations and the report: the files that several tables and figures are made from."""

from __future__ import annotations

from madad.reporting.deliverables.row import Deliverable, data

STEPS = (
    Deliverable(
        "samples",
        "Covariates, lesions and origin of every sample of a test set; what was done to a derived one lies beside its pack.",
        "madad.evaluation.results.sample_covariates:write_samples",
        inputs=("test_pack", "derivation_tables"),
        options=("testset",),
        outputs=data("results/samples/{testset}/{modality}.tsv"),
        each=None,
        group="packing",
    ),
    Deliverable(
        "samples_joined",
        "The samples of all test sets.",
        "madad.evaluation.results.sample_covariates:join_samples",
        inputs=("sample_tables",),
        outputs=data("results/tables/samples.csv"),
    ),
    Deliverable(
        "collect",
        "All long tables as one.",
        "madad.evaluation.results.collected:collect",
        inputs=("long_tables",),
        outputs=data("results/tables/metrics.csv"),
        each=None,
    ),
    Deliverable(
        "summarise",
        "Means, 95 % intervals over subjects, spread over seeds, and who wins outside the noise.",
        "madad.evaluation.statistics.summary:summarise",
        inputs=("metrics",),
        options=("tracks", "trained"),
        outputs=data("results/tables/summary.csv"),
        each=None,
    ),
    Deliverable(
        "collect_ceilings",
        "What the reference masks themselves score as maps, on all test sets.",
        "madad.evaluation.statistics.ceiling_summary:collect_ceilings",
        inputs=("ceiling_tables",),
        outputs=data("results/tables/ceiling_metrics.csv"),
        each=None,
    ),
    Deliverable(
        "summarise_ceilings",
        "The same as means, like the summary of methods.",
        "madad.evaluation.statistics.ceiling_summary:summarise_ceilings",
        inputs=("ceiling_metrics",),
        outputs=data("results/tables/ceilings.csv"),
        each=None,
    ),
    Deliverable(
        "collect_corrupted",
        "What the corrupted samples and the same samples without an artefact were given, as one table.",
        "madad.reporting.tables.robustness:collect",
        inputs=("corrupted_tables", "clean_tables", "artefact_tables"),
        outputs=data("results/tables/robustness_metrics.csv"),
        each=None,
    ),
    Deliverable(
        "noised",
        "One healthy slice under the noise of every method.",
        "madad.models.diffusion.noise_examples:write_noised",
        inputs=("train_pack",),
        options=("noise_laws",),
        outputs=data("results/noised/{cohort}/{modality}.npz"),
        each=None,
        environment="torch",
    ),
)
