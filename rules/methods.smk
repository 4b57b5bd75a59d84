"""The methods of a run and the parts they stand on: their cards, options, code and models."""

ENTRIES = experiments.entries(CONFIG)
CARDS = {name: cards.load(entry["base"]) for name, entry in ENTRIES.items()}
METHOD_BASES = {name: method["base"] for name, method in CONFIG["methods"].items()}
TRACKS = {name: method["track"] for name, method in CONFIG["methods"].items()}
# Names of the entries that reuse the weights of another, as a pattern; one that matches no name where there is none.
REUSED = "|".join(name for name, entry in ENTRIES.items() if entry["weights_from"]) or "(?!)"
TRAINED = "|".join(name for name, entry in ENTRIES.items() if not entry["weights_from"])
BENEATH = {name: experiments.beneath(CONFIG, name) for name in CONFIG["methods"]}
NOISE_LAWS = experiments.noise_laws(CONFIG)


def method_card(wildcards):
    """Card of the published method behind a method's name."""
    return CARDS[wildcards.method]


def method_options(wildcards):
    """Base, parameters, training options and parts of a method for a modality."""
    return as_json(ENTRIES[wildcards.method]["options"][wildcards.modality])


def training_options(wildcards):
    """The same without settings of inference, for which nothing is trained again."""
    return as_json(experiments.of_training(ENTRIES[wildcards.method]["options"][wildcards.modality]))


def reused(name):
    """A file of the run whose weights a method reuses."""
    return lambda wildcards: _of_runs(name, [{**wildcards, "method": ENTRIES[wildcards.method]["weights_from"]}])


def method_code(*engine, pairs=False):
    """Hash of what a method's stage executes: editing one method reruns that method alone."""

    def code(wildcards):
        shown = ["madad.data.anomalies.pairs"] if pairs and method_card(wildcards)["training_data"]["pairs"] else []
        return fingerprint("madad.methods.registry", *_modules(wildcards.method), *engine, *shown)

    return code


def _modules(method):
    """Code of a method and of the parts it is built with."""
    entry = ENTRIES[method]
    return [cards.module(entry["base"]), *(name for part in entry["parts"].values() for name in _modules(part))]


def method_resource(name):
    """A number from the `resources` of a method: of its card, the preset or the settings."""
    return lambda wildcards: ENTRIES[wildcards.method]["resources"][name]


def training_resource(name):
    """The same for the training; a method with nothing to learn only copies the weights of its parts, on one core."""
    idle = {"gpu": 0, "threads": 1, "mem_mb": 4000, "runtime_min": 60}

    def number(wildcards):
        able = method_card(wildcards)["capabilities"]
        return (ENTRIES[wildcards.method]["resources"] if able["trains"] or able["fits"] else idle)[name]

    return number


def evaluation_options(wildcards):
    """How maps are scored, and the name of the paper's own protocol."""
    return as_json({**CONFIG["evaluation"], "published": method_card(wildcards)["published_scoring"]})


def calibration(path):
    """A file of the training cohort's validation subjects, for test sets that are not made of that cohort."""

    def file(wildcards):
        own = settings.cohort_of(wildcards.testset) == wildcards.cohort
        return [] if own else path.format(**wildcards)

    return file


def part_models(wildcards):
    """Models of what a method stands on, in the order of the roles."""
    return _of_runs("model.safetensors", experiments.part_runs(CONFIG, dict(wildcards)))


def training_banks(wildcards):
    """Synthetic lesions, for methods that learn from them."""
    pairs = method_card(wildcards)["training_data"]["pairs"]
    return bank_files(pipeline_of(wildcards.cohort)) if pairs else []
