"""A first look at a folder of images by the names of its files, and the configuration that it suggests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import yaml

from madad.configuration import cohort_cards, cohort_names, settings
from madad.configuration.files import read_configuration
from madad.configuration.schema import Options
from madad.core.errors import UserError, did_you_mean
from madad.core.provenance import complete
from madad.data.cohorts.finding import summary, understanding
from madad.data.cohorts.finding.groups import HEALTHY, PATIENT, UNKNOWN
from madad.data.cohorts.finding.summary import Facts


class Look(NamedTuple):
    """What a folder holds.

    Attributes:
        name: of the cohort.
        options: of the cohort in a configuration.
        modality: the sequence that most of its images have.
        found: facts about it, from `summary.facts`.
    """

    name: str
    options: Options
    modality: str
    found: Facts

    @property
    def lines(self) -> list[str]:
        """What was found, for a person."""
        return summary.lines(self.name, self.found)


def at(root: Path, name: str | None = None, kind: str | None = None) -> Look:
    """Return what a folder holds; no image is opened.

    Args:
        root: a BIDS data set, or a data set of another known kind.
        name: of the cohort; that of the folder if None.
        kind: of the cohort; None to try all, BIDS first.

    Raises:
        UserError: no such folder or kind, or its files cannot be read as any kind.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; name that of a data set")
    known = [one for one in cohort_cards.kinds() if not cohort_cards.card(one).get("made")]
    if kind is not None and kind not in known:
        raise UserError(f"--kind: no data are read as {kind!r}{did_you_mean(kind, known)}; the kinds are {', '.join(known)}")
    name = name or re.sub("[^a-z0-9]+", "_", root.resolve().name.lower()).strip("_") or "mine"
    looks, reasons = [], {}
    for one in [kind] if kind else _likely(root, known):
        try:
            looks.append(_as_kind(root.resolve(), name, one))
        except UserError as error:
            reasons[one] = str(error).splitlines()[0]
    if not looks:
        told = "".join(f"\n  as {one}: {reason}" for one, reason in reasons.items())
        raise UserError(f"{root}: holds no images that madad can read; arrange them as BIDS, or see `madad cohorts`{told}")
    return max(looks, key=lambda look: sum(look.found["sequences"].values()))


def _likely(root: Path, known: Iterable[str]) -> list[str]:
    return ["bids"] if any(root.glob("sub-*")) else [kind for kind in known if kind != "bids"]


def _as_kind(root: Path, name: str, kind: str) -> Look:
    given = {"kind": kind, "root": str(root)}
    sequences = cohort_names.sequences({"variant": None, **cohort_names.defaults(kind, given), **given}) or ["T1w"]
    whole = {"cohorts": {name: given}, "train_on": [name], "test_on": [name], "modalities": sequences, "methods": ["intensity"]}
    config = settings.resolve({**read_configuration(), **whole})
    found = understanding.understand(config, "names")[name]
    if not isinstance(found, dict):
        raise found if isinstance(found, UserError) else UserError(str(found))
    return Look(name, given, max(found["sequences"], key=found["sequences"].__getitem__), found)


def write(look: Look, path: Path, force: bool = False) -> None:
    """Write the configuration that a look suggests.

    Args:
        look: from `at`.
        path: of the configuration.
        force: whether a file that exists is replaced.

    Raises:
        UserError: the file exists.
    """
    if path.exists() and not force:
        raise UserError(f"{path}: exists already; give another name with --out, or replace it with --force")
    with complete(path) as partial:
        partial.write_text(text(look), encoding="utf-8")


def text(look: Look) -> str:
    """Return the configuration that a look suggests, with the reasons as comments."""
    groups = {group: len(people) for group, people in look.found["groups"].items()}
    stated = yaml.safe_dump({look.name: look.options}, sort_keys=False)
    parts = [
        _comment([f"A run on {look.options['root']}; what is not set here is as in the config.yaml of madad.", "Found:"]),
        _comment([f"  {line}" for line in look.lines]),
        "\n# smoke, quickstart, all or paper: sizes and training steps; `paper` needs a GPU.\npreset: quickstart\n",
        f"\ncohorts:\n{_indented(stated)}{_indented(_of_cohort(look), 4)}",
        _roles(look.name, groups),
        f"\n# Found are {', '.join(look.found['sequences'])}; every method is trained and tested on each that is named here.\n",
        f"modalities: [{look.modality}]\n",
        "\n# `madad methods` lists them; without this key the preset chooses.\n# methods: [intensity, atlas_z, dae, ddpm]\n",
    ]
    return "".join(parts)


def _of_cohort(look: Look) -> str:
    """Return options of the cohort that are to be decided, as comments."""
    masks, images = sum(look.found["brain_masks"].values()), sum(look.found["sequences"].values())
    lines = ["# skull_strip: template is the default; bet is faster; none, if the images show brains without skulls"]
    if masks == images:
        lines = [
            "# there is a brain mask for every image; without this line the template strips heads",
            "skull_strip: given",
        ]
    if unknown := look.found["groups"][UNKNOWN]:
        known = look.found["groups"][PATIENT] or look.found["groups"][HEALTHY]
        lines += [f"# of unknown group, and so not used: {len(unknown)}; if all of them are healthy:"]
        lines += [f"# group: {'by_mask' if known else 'healthy'}"]
    return "\n".join(lines) + "\n"


def _roles(name: str, groups: dict[str, int]) -> str:
    """Return the lines that say what is trained and tested on."""
    tests = [name] if groups[PATIENT] else []
    if groups[HEALTHY]:
        return _trained_on(name, tests, "# Tests are on held-out subjects, and on synthetic lesions in healthy ones.")
    if not groups[PATIENT]:
        return _trained_on(name, tests, "# This holds if the subjects are healthy, which you say with the key group above.")
    return (
        "\n# No subject is known to be healthy, so methods need another cohort to learn from, such as IXI, which is downloaded "
        "if you\n# move this line to the cohorts above:\n#   healthy: {kind: ixi, download: true}\n"
        f"train_on: [healthy]\ntest_on: [{name}]\n"
    )


def _trained_on(name: str, tests: list[str], reason: str) -> str:
    return f"\n{reason}\ntrain_on: [{name}]\ntest_on: [{', '.join([*tests, f'{name}-implanted'])}]\n"


def _comment(lines: Iterable[str]) -> str:
    return "".join(f"# {line}\n" for line in lines)


def _indented(lines: str, by: int = 2) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in lines.splitlines())
