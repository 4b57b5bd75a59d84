"""Measure how far this package is from the authors' released code, and write docs/reference/fidelity.md.

The command is `python -m tests.golden.fidelity_page`.

The errors that the page shows are kept in `observed.json`, because their last digits differ from machine to machine; a test
measures them again and says when the page is no longer true.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import yaml

from madad.reporting.documentation.evidence import SYSTEMS
from tests.golden.check import CHECKS, Item, compare

HERE = Path(__file__).resolve().parent
ARRAYS = HERE / "arrays"
OBSERVED = HERE / "observed.json"
PAGE = HERE.parents[1] / "docs/reference/fidelity.md"
STALE = "docs/reference/fidelity.md is stale: run python -m tests.golden.fidelity_page"
HEAD = """# Fidelity to the papers' released code

<!-- Written by `python -m tests.golden.fidelity_page` from tests/golden; a test says when it is stale. -->

`tests/golden/arrays` holds inputs, random weights and outputs that were computed with the authors' released code. The tests
compute the same with this package: `python -m pytest tests/golden`. The arrays are our own computation on random inputs; no code,
trained weights or data of the authors are among them.

*Error* is the largest absolute difference from the authors' output. *Allowed* is the tolerance of the test: a few times the
rounding of their float32, about three standard errors where the laws of random draws are compared, and 0 where results must be
equal. Changes to the authors' code that made a network small, such as fewer groups of a norm, are in `golden.json`.
"""
DIFFERENCES = """
## Differences that remain

What is different on purpose, with its effect as far as it was measured. The cards ([methods](methods/index.md)) list every
deviation of a method; those of the synthetic lesions are in [synthetic lesions](../explanation/fluid.md).

| system | difference | measured effect | why it stays |
|---|---|---|---|
"""


def measure(golden: dict) -> dict[str, dict[str, dict]]:
    """Return the comparison of every output of every item."""
    Item.tensors = golden["tensors"]
    found = {}
    for record in golden["items"]:
        item = Item(record)
        found[record["id"]] = {name: compare(record, name, value, item) for name, value in CHECKS[record["id"]](item).items()}
    return found


def render(golden: dict, observed: dict, differences: list[dict]) -> str:
    """Return the page."""
    sources = sorted({(record["source"]["repository"], record["source"]["commit"]) for record in golden["items"]})
    text = HEAD + "\n| repository | commit |\n|---|---|\n"
    text += "".join(f"| [{url.rpartition('/')[2]}]({url}) | `{commit[:10]}` |\n" for url, commit in sources)
    for prefix, system in SYSTEMS.items():
        records = [record for record in golden["items"] if record["id"].partition(".")[0] == prefix]
        text += f"\n## {system}\n\n{', '.join(dict.fromkeys(record['paper'] for record in records))}.\n\n"
        text += "| item | what | error | allowed | source |\n|---|---|---|---|---|\n"
        text += "".join(row for record in records for row in rows(record, observed[record["id"]]))
    return text + DIFFERENCES + "".join(f"| {' | '.join(cells(row))} |\n" for row in differences)


def rows(record: dict, results: dict) -> list[str]:
    """Return a row for an item whose outputs all agree, and one for every difference of it."""
    plain = {name: result for name, result in results.items() if "@" not in name}
    out = []
    if plain:
        worst = max(plain.values(), key=lambda result: result["max_abs"] / result["allowed"] if result["allowed"] else 0)
        out.append((record["id"], record["what"], worst))
    for name, result in results.items():
        base, _, variant = name.partition("@")
        if variant:
            out.append((f"{record['id']}, {base}", "**Different:** " + record["variants"][variant]["what"], result))
    source = record["computed_with"].replace("|", "\\|")
    return [
        f"| `{name}` | {what.replace('|', chr(92) + '|')} | {worst['max_abs']:.1e} | {worst['allowed']:.1e} | {source} |\n"
        for name, what, worst in out
    ]


def cells(row: dict) -> list[str]:
    """Return the cells of a remaining difference."""
    return [" ".join(str(row[key]).split()).replace("|", "\\|") for key in ("system", "difference", "effect", "reason")]


def stored() -> tuple[dict, dict, list[dict]]:
    """Return what the page is made of: items, errors, and remaining differences."""
    golden = json.loads((ARRAYS / "golden.json").read_text())
    return golden, json.loads(OBSERVED.read_text()), yaml.safe_load((HERE / "differences.yaml").read_text())


def main() -> None:
    """Measure the errors anew and write the page."""
    torch.set_num_threads(1)
    golden = json.loads((ARRAYS / "golden.json").read_text())
    lines = (f" {json.dumps(name)}: {json.dumps(results)}" for name, results in measure(golden).items())
    OBSERVED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    PAGE.write_text(render(*stored()))


if __name__ == "__main__":
    main()
