"""The data stage: what cohorts, preprocessing, packs and synthetic lesions are told, and the names of their files."""

from functools import cache

TABLES = ("participants.tsv", "IXI.xls", "IXI.tsv", "IXI.csv", "dataset.json")


def pipeline_of(cohort):
    """Name of the pipeline that preprocesses a cohort."""
    return CONFIG["cohorts"][cohort]["pipeline"]


def shard_tables(cohort=None):
    """Tables of the preprocessed shards, of one cohort or of all."""
    return [
        f"results/preprocessed/{name}/{pipeline_of(name)}/shards/{shard}.tsv"
        for name in ([cohort] if cohort else COHORTS)
        for shard in range(CONFIG["cohorts"][name]["shards"])
    ]


def quality_tables(cohort=None):
    """Every image with its quality numbers and the verdict on it, of one cohort or of all."""
    return [f"results/quality/{name}/{pipeline_of(name)}.tsv" for name in ([cohort] if cohort else COHORTS)]


def quality_records():
    """What the verdicts of every cohort rest on."""
    return [table.removesuffix(".tsv") + ".json" for table in quality_tables()]


def verdict_options(wildcards):
    """Limits, and what a person decided on the images of a cohort; lists of other cohorts play no part."""
    lists = {key: sorted(CONFIG["quality"][key].get(wildcards.cohort, [])) for key in ("exclude", "keep")}
    return {**CONFIG["quality"], **lists}


def packs_for(testset, modality):
    """The packs a test set is inferred and evaluated on: validation for the thresholds, test for the numbers.

    A corrupted one has no validation: its thresholds are those of the test set it is made of.
    """
    splits = ("validation", "test") if settings.base_of(testset) == testset else ("test",)
    return [f"results/packs/{testset}/{modality}/{split}.h5" for split in splits]


def excluded_tables():
    """What each cohort could not use, and why."""
    return [f"results/cohorts/{cohort}/excluded.tsv" for cohort in COHORTS]


def cohort_options(wildcards):
    """Options of a cohort that decide its manifest."""
    elsewhere = ("pipeline", "shards", "skull_strip", "skull_strip_command", "dataset", "download", "mirror", "splits")
    options = CONFIG["cohorts"][wildcards.cohort]
    return as_json({key: value for key, value in options.items() if key not in elsewhere})


def cohort_code(wildcards):
    """Fingerprint of what finds and reads the images of a cohort's kind; another kind's code plays no part."""
    kind = CONFIG["cohorts"][wildcards.cohort]["kind"]
    finder = ["madad.data.cohorts.phantom", "madad.data.cohorts.bids"] if kind == "phantom" else [f"madad.data.cohorts.{kind}"]
    return fingerprint("madad.data.cohorts.finding.manifest_rows", *finder)


def cohort_data(wildcards):
    """What must be there before a cohort is listed: its data, where they are downloaded."""
    return [f"results/downloads/{wildcards.cohort}/download.json"] if CONFIG["cohorts"][wildcards.cohort]["download"] else []


def download_options(wildcards):
    """Where a cohort's data come from, and which of them are wanted."""
    cohort = CONFIG["cohorts"][wildcards.cohort]
    return as_json({"kind": cohort["kind"], "mirror": cohort["mirror"], "modalities": CONFIG["modalities"]})


@cache
def listing(root):
    """Hash of names, sizes and times of a folder's images and masks, and of the tables that tell about them."""
    found = []
    for folder, names in subject_counts.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            # a link to nothing, as in a data set that is fetched piece by piece, must not stop the run
            if name.endswith((".nii", ".nii.gz", *TABLES)) and os.path.exists(path):
                found.append([path, os.stat(path).st_size, os.stat(path).st_mtime_ns])
    return content_hash(sorted(found))


def cohort_listing(wildcards):
    """Changes when an image, a mask or the table of participants is added, replaced or taken away."""
    cohort = CONFIG["cohorts"][wildcards.cohort]
    return listing(cohort["root"]) if cohort.get("root") and not cohort["download"] else "made here"


def cohort_threads(wildcards):
    """Phantoms are built side by side; a BIDS folder is only read."""
    return 16 if CONFIG["cohorts"][wildcards.cohort]["kind"] == "phantom" else 1


def preprocess_options(wildcards):
    """Options of a pipeline that decide the images, and how the cohort's brains are found."""
    options = {
        key: value
        for key, value in CONFIG["pipelines"][wildcards.pipeline].items()
        if key not in ("intensity", "reference", "base")
    }
    cohort = CONFIG["cohorts"][wildcards.cohort]
    return as_json({**options, **{key: cohort[key] for key in ("skull_strip", "skull_strip_command")}})


def used_pipeline():
    """The pipeline that every cohort in use shares, so that their numbers can be compared."""
    return CONFIG["pipelines"][pipeline_of(COHORTS[0])]


def reference_tables():
    """Tables of the cohort whose training images fit the intensities."""
    return quality_tables(used_pipeline()["reference"])


def reference_intensity(wildcards):
    """How the pipeline normalises, for the comparison with all other ways."""
    return used_pipeline()["intensity"]


def intensity_models(modality):
    """The fitted normalisation of every pipeline in use."""
    return [f"results/intensity/{name}/{modality}.json" for name in sorted({pipeline_of(cohort) for cohort in COHORTS})]


def pack_intensity(wildcards):
    """The intensity normalisation of a cohort's pipeline."""
    return f"results/intensity/{pipeline_of(wildcards.cohort)}/{wildcards.modality}.json"


def lesion_masks():
    """Changes with the real lesion masks, so that results age with them; hundreds of inputs would flood the log."""
    folder = CONFIG["anomalies"]["lesion_masks"]
    return listing(folder) if folder else "shapes are made here"


def bank_files(pipeline):
    """Shards of the bank of a pipeline's template grid."""
    return [f"results/banks/{pipeline}/{shard}.h5" for shard in range(CONFIG["anomalies"]["bank"]["shards"])]


def implant_options(wildcards):
    """The grid of implanted lesions and the generator behind them; how the bank is divided plays no part."""
    generator = {key: value for key, value in CONFIG["anomalies"].items() if key != "bank"}
    return as_json({**CONFIG["implanted"], "generator": generator, "grid": template_grid(pipeline_of(wildcards.cohort))})


def bank_options(wildcards, pipeline=None):
    """The generator, size and seed of the bank, and the grid of a pipeline."""
    bank = {key: value for key, value in CONFIG["anomalies"]["bank"].items() if key != "shards"}
    return as_json({**CONFIG["anomalies"], "bank": bank, "grid": template_grid(pipeline or wildcards.pipeline)})


def template_files(wildcards):
    """Changes with the files of a pipeline's template."""
    options = CONFIG["pipelines"][wildcards.pipeline]
    paths = [options[key] for key in ("template", "template_brain") if options[key] and os.path.exists(options[key])]
    return content_hash([[path, os.stat(path).st_size, os.stat(path).st_mtime_ns] for path in paths])


def template_grid(pipeline):
    """The template of a pipeline and the grid that it is brought onto."""
    options = CONFIG["pipelines"][pipeline]
    return {key: options[key] for key in ("template", "template_brain", "spacing_mm", "shape")}


def corrupted_intensity(wildcards):
    """The intensity normalisation of the cohort behind a test set."""
    cohort = settings.cohort_of(wildcards.testset)
    return f"results/intensity/{pipeline_of(cohort)}/{wildcards.modality}.json"
