"""Which keys of the configuration decide what: the first rules that run again when a key changes; what reads their files follows.

docs/reference/reruns.md is generated from this table, and a test changes every key of the configuration and compares the rules
with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from madad.core.errors import UserError
from madad.core.provenance import complete


@dataclass(frozen=True)
class Decision:
    """What some keys decide.

    Args:
        keys: patterns in the manner of file names; `*` also stands for a name that a user chooses.
        rules: the first rules that run again; empty where nothing does.
        meaning: what happens, in a sentence.
        adds: whether a change only adds or removes jobs, and no other job runs again but those of the report.
    """

    keys: tuple[str, ...]
    rules: tuple[str, ...]
    meaning: str
    adds: bool = False


# The first row with a key counts. A key of a cohort that no row names decides its manifest.
DECISIONS = (
    Decision(
        ("preset",),
        ("cohort", "bank"),
        "All sizes in which the two presets differ, by the rows of those keys.",
    ),
    Decision(
        ("cohorts.*.shards", "anomalies.bank.shards"),
        (),
        "Finished work keeps its division into jobs; the number counts for what is still to be done.",
    ),
    Decision(("cohorts.*.dataset",), ("ledger",), "The comparison with published numbers."),
    Decision(("cohorts.*.skull_strip", "cohorts.*.skull_strip_command"), ("preprocess",), "The cohort is preprocessed."),
    Decision(("cohorts.*.pipeline",), ("preprocess", "bank"), "The cohort is preprocessed by the other pipeline."),
    Decision(("cohorts.*.download",), ("download",), "The data set is fetched.", adds=True),
    Decision(("cohorts.*.mirror",), ("download",), "The data set is fetched from there."),
    Decision(("cohorts.*",), ("cohort",), "The cohort is listed and preprocessed; images that stay the same are taken over."),
    Decision(("train_on", "methods", "seeds"), ("train",), "Only what is new is trained.", adds=True),
    Decision(
        ("initial_weights",),
        ("train",),
        "What now starts from other weights is trained again, and what is based on it; a model file counts by its content.",
    ),
    Decision(("test_on",), ("implant", "corrupt", "infer"), "Only what is new is made and scored.", adds=True),
    Decision(("modalities",), ("cohort",), "The cohorts are listed; a new sequence is trained on."),
    Decision(
        ("pipelines.*.intensity*", "pipelines.*.reference"),
        ("intensity", "normalisation_methods"),
        "The normalisation is fitted; nothing is registered.",
    ),
    Decision(
        ("pipelines.*.template", "pipelines.*.template_brain", "pipelines.*.spacing_mm", "pipelines.*.shape", "pipelines.*.base"),
        ("preprocess", "bank"),
        "Cohorts are preprocessed on the other grid, and synthetic lesions made on it.",
    ),
    Decision(("pipelines.*",), ("preprocess",), "Cohorts with this pipeline are preprocessed."),
    Decision(("method_folders",), (), "Where a method lies decides nothing; its code does."),
    Decision(("method_options.*.resources.*",), (), "What jobs ask for decides no result."),
    Decision(
        tuple(f"method_options.*.{key}" for key in ("parameters", "training", "parts", "part_seeds", "base")),
        ("train",),
        "The method is trained, and what stands on it; settings of inference alone begin at `infer`.",
    ),
    Decision(("anomalies.bank.*",), ("bank", "anomaly_examples"), "The bank of lesions is made, and methods that learn from it."),
    Decision(
        ("anomalies.*",), ("bank", "implant", "anomaly_examples"), "Synthetic lesions are made, for the bank and for test sets."
    ),
    Decision(
        ("quality.limits.*.flag", "quality.outlier_z"), ("verdicts",), "A flag asks a person to look: only the report changes."
    ),
    Decision(
        ("quality.*",),
        ("selection", "verdicts"),
        "Splits that lose or gain an image are packed; nothing is registered, and for the test split nothing is trained.",
    ),
    Decision(("implanted.*",), ("implant",), "Test sets with synthetic lesions are made."),
    Decision(("corrupted.*",), ("corrupt",), "Corrupted test sets are made."),
    Decision(("evaluation.*",), ("evaluate", "ceilings"), "Stored maps are scored; nothing is trained or inferred."),
    Decision(("partial",), (), "Only finished runs are in the report.", adds=True),
)
PAGE = re.compile(r"(<!-- keys -->\n).*?(<!-- end -->)", re.DOTALL)


def decision(key: str) -> Decision:
    """Return what a key decides.

    Args:
        key: with dots between its parts; `*` where a user chooses the name.
    """
    return next(row for row in DECISIONS if any(fnmatchcase(key, pattern) for pattern in row.keys))


def decides(key: str, rule: str) -> bool:
    """Return whether a rule is among the first that run again when a key changes."""
    return rule in decision(key).rules


def write(path: Path, keys: Sequence[str]) -> None:
    """Write the table into a page, between its marks.

    Args:
        path: of the page.
        keys: all keys of the configuration; every one is in the table.
    """
    page = path.read_text()
    if not PAGE.search(page):
        raise UserError(f"{path}: no line '<!-- keys -->' with '<!-- end -->' below it; take the page from the repository")
    with complete(path) as partial:
        partial.write_text(PAGE.sub(lambda match: match[1] + table(keys) + match[2], page))


def table(keys: Sequence[str]) -> str:
    """Return the table in Markdown: keys of one row of `DECISIONS` together, in the order of the configuration."""
    rows: dict[Decision, list[str]] = {}
    for key in keys:
        rows.setdefault(decision(key), []).append(f"`{key}`")
    lines = ["| keys | first rules that run again | what happens |", "|---|---|---|"]
    for row, names in rows.items():
        rules = ", ".join(f"`{rule}`" for rule in row.rules) or "none"
        lines.append(f"| {', '.join(names)} | {rules} | {row.meaning} |")
    return "\n".join(lines) + "\n"
