"""A paragraph of methods for a paper, with citations of what ran, as Markdown with pandoc's citations, and its references."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from madad.configuration.settings import base_of, cohort_of
from madad.core.provenance import complete
from madad.reporting.layout import table_writer
from madad.reporting.methods_text.bibliography import Citations

SKULL_STRIPPING = {
    "template": ("Brains were extracted by the template's mask, mapped to the head by SyN registration", "ants"),
    "bet": ("Brains were extracted by a BET surface grown from the template's mask", "bet"),
    "hd-bet": ("Brains were extracted by HD-BET", "hd_bet"),
    "synthstrip": ("Brains were extracted by SynthStrip", "synthstrip"),
    "given": ("Brain masks came with the data", ""),
}
INTENSITIES = {
    "percentile": "the percentiles {lower:g} and {upper:g} of the brain became 0 and 1",
    "nyul": "intensities were mapped to common landmarks",
    "histogram_matching": "histograms were matched to that of the training subjects",
    "zscore": "intensities of the brain were standardised",
    "equalisation": "histograms were equalised",
    "maximum": "0 stayed 0 and the percentile {upper:g} became 1",
    "median": "-3 and 7 robust standard deviations about the median became 0 and 1",
}
STEPS = {
    "erosion": "erosion of the brain mask by {} voxels",
    "median": "a median filter of {} voxels",
    "min_component": "removal of components below {} voxels",
}


def write_methods(provenance: Path, story: Path, leakage_table: Path, tracks: Mapping[str, str], out: Path, bib: Path) -> None:
    """Write the text and the references that it cites.

    Args:
        provenance: the effective configuration and the versions.
        story: of `madad.reporting.story.story`, for the numbers of subjects.
        leakage_table: what `madad.reporting.tables.leakage` wrote, with its outcome in the column `Result`.
        tracks: labels that the training of every compared method saw.
        out: Markdown.
        bib: BibTeX.
    """
    known = json.loads(Path(provenance).read_text(encoding="utf-8"))
    config, versions, cite = known["configuration"], known["environment"], Citations()
    facts = dict(json.loads(Path(story).read_text(encoding="utf-8"))["compared"])
    methods = {name: config["methods"][name] for name in tracks if name in config["methods"]}
    parts = [method(name, entry, "", cite) for name, entry in sorted(config.get("parts", {}).items())]
    template = table_writer.templates().overlay(autoescape=False).get_template("methods.md")
    text = template.render(
        cite=cite,
        facts=facts,
        leakage=_leakage(Path(leakage_table)),
        preprocessing=list(preprocessing(config, cite)),
        methods=[*(method(name, entry, tracks[name], cite) for name, entry in methods.items()), *parts],
        post_processing=post_processing(config["evaluation"]),
        versions={key: versions.get(key, "unknown") for key in (*VERSIONS, *versions)},
        changed=", with uncommitted changes" if versions.get("uncommitted changes") == "yes" else "",
    )
    with complete(out) as partial:
        partial.write_text(text.rstrip() + "\n", encoding="utf-8")
    with complete(bib) as partial:
        partial.write_text(cite.as_bibtex(), encoding="utf-8")


VERSIONS = ("madad", "commit", "snakemake", "torch", "monai", "numpy", "scipy", "python")


def _leakage(table: Path) -> str:
    rows = table_writer.read_csv(table)
    passed = bool(rows) and all(row["Result"] == "passed" for row in rows)
    return " No subject, image or lesion mask was found on both sides of a split." if passed else ""


def preprocessing(config: Mapping[str, Any], cite: Citations) -> Iterator[str]:
    """Yield a sentence or two for the chain of every cohort in use."""
    cohorts = dict.fromkeys([*config["train_on"], *(cohort_of(base_of(testset)) for testset in config["test_on"])])
    for name in cohorts:
        cohort = config["cohorts"][name]
        chain = config["pipelines"][cohort["pipeline"]]
        yield f"{name}: {'; '.join(_chain(cohort, chain, cite))}."


def _chain(cohort: Mapping[str, Any], chain: Mapping[str, Any], cite: Citations) -> Iterator[str]:
    words, key = SKULL_STRIPPING.get(cohort["skull_strip"] or chain["skull_strip"], ("images came without skull", ""))
    yield _cited(words[:1].lower() + words[1:], key, cite)
    if chain["bias_field"] == "n4":
        yield _cited("bias fields were corrected by N4", "n4", cite)
    if chain["denoise"] != "none":
        yield "noise was reduced by curvature flow"
    if chain["registration"] == "none":
        yield "images kept their grid"
    else:
        template = cite("icbm152") if chain["template"] == "icbm152" else f"({Path(chain['template']).name})"
        where = f"the ICBM152 template {template}" if chain["template"] == "icbm152" else f"a template {template}"
        yield _cited(f"{chain['registration']} registration to {where} by ANTs", "ants", cite)
    yield f"voxels of {chain['spacing_mm']:g} mm"
    intensity = chain["intensity"]
    yield _cited(INTENSITIES[intensity["method"]].format(**intensity), "nyul" if intensity["method"] == "nyul" else "", cite)


def _cited(words: str, key: str, cite: Citations) -> str:
    return f"{words} {cite(key)}" if key else words


def method(name: str, entry: Mapping[str, Any], track: str, cite: Citations) -> str:
    """Return a sentence about a method or part: whose it is, how long it trained and what labels it saw.

    Args:
        entry: of the effective configuration.
        track: labels that its training saw; empty for a part.
    """
    base = entry["base"]
    own = f"`{name}`" if name == base else f"`{name}` (a variant of `{base}`)"
    trainings = [options["training"] for options in entry["options"].values() if options["training"]]
    steps = sorted({training["steps"] for training in trainings})
    trained = f", {' or '.join(map(str, steps))} training steps" if steps else ""
    start = f", starting from {entry['initial_weights']} weights" if steps and entry.get("initial_weights") else ""
    labels = f", track {track}" if track else ", a trained part of others"
    return f"{own} {cite.method(base)}{labels}{trained}{start}."


def post_processing(evaluation: Mapping[str, Any]) -> str:
    """Return the post-processing of maps and masks in words."""
    steps = [words.format(evaluation[key]) for key, words in STEPS.items() if evaluation[key]]
    return f"after {', '.join(steps)}" if steps else "without post-processing"
