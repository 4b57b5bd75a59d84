"""The pages docs/reference/papers/<paper>.md: a paper's tables beside ours, cell by cell, with what every empty cell waits for.

    python -m madad.reporting.documentation.paper_pages [results/tables/ledger.csv …]

writes them anew, with the values of the runs whose ledgers are given.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from madad.configuration.schema import Options
from madad.core.provenance import ROOT, complete
from madad.reporting.reproduction import pages, papers
from madad.reporting.reproduction.waiting import waits_for

FOLDER = ROOT / "docs/reference/papers"
# The papers that have a study of their own, by the name of its file.
STUDIES = {"MAD-AD": "mad_ad", "mDDPM": "mddpm", "cDDPM": "cddpm", "MHD": "cddpm", "pDDPM": "pddpm", "CondDiff": "conddiff"}
WRITTEN = (
    "<!-- Written by `python -m madad.reporting.documentation.paper_pages` from madad/reporting/reproduction/published_results; "
    "a test says when it is stale. -->"
)
LEGEND = (
    "Beside every published number is ours, on the same data set in the same sequence, by the paper's protocol (≈: by the "
    "nearest one). ± is the paper's spread, brackets are 95 % intervals over subjects. A letter says what an empty cell waits "
    "for. Values of a run on these data are put in by `python -m madad.reporting.documentation.paper_pages "
    "results/tables/ledger.csv`; `results/tables/ledger.html` has them with everything else that is known of the run."
)
INDEX = f"""# Papers, cell by cell

{WRITTEN}

The tables of the papers that have a study of their own, with what every empty cell waits for.
[Published numbers](../../how-to/published_numbers.md) says how a run's values come to stand beside them.
"""
# Line of a ledger by paper, table, row and column.
Key = tuple[str, ...]
COLUMN = ("dataset", "subset", "modality", "metric")


def write(folder: Path = FOLDER, ledgers: Sequence[Path] = ()) -> None:
    """Write the page of every paper that has a study.

    Args:
        folder: of the pages.
        ledgers: `ledger.csv` of runs, whose values stand in the pages.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in every(read(ledgers)).items():
        with complete(folder / name) as partial:
            partial.write_text(text, encoding="utf-8")


def every(ours: Mapping[Key, Options]) -> dict[str, str]:
    """Return the text of every page by the name of its file."""
    made = {page_name(paper): page(paper, ours) for paper in papers.load() if paper["name"] in STUDIES}
    names = "\n".join(sorted(name.removesuffix(".md") for name in made))
    return made | {"index.md": f"{INDEX}\n```{{toctree}}\n{names}\n```\n"}


def page_name(paper: Options) -> str:
    """Return the name of the file that has the page of a paper."""
    return f"{paper['name'].lower().replace('-', '_')}.md"


def read(ledgers: Sequence[Path]) -> dict[Key, Options]:
    """Return the lines of ledgers that have a value of ours beside a published one."""
    found: dict[Key, Options] = {}
    for path in ledgers:
        with open(path, newline="", encoding="utf-8") as stream:
            for line in csv.DictReader(stream):
                if line["published"] and line["value"]:
                    found.setdefault(tuple(line[key] for key in ("paper", "table", "method", *COLUMN)), line)
    return found


def page(paper: Options, ours: Mapping[Key, Options]) -> str:
    """Return the page of a paper as Markdown."""
    study = STUDIES[paper["name"]]
    authors = f"{paper['authors']}. " if paper["authors"] else ""
    blocks = [
        f"# {paper['name']}",
        WRITTEN,
        f"{authors}*{paper['title']}*. {paper['venue']}, {paper['year']} ({paper['identifier']}).",
        f"What of it is at hand: {paper['coverage']}",
        f"Its study is [studies/{study}.yaml](../../../studies/{study}.yaml), which says what it needs:",
        "```\n"
        f"snakemake --cores 16 --configfile studies/{study}.yaml\n"
        f"snakemake --cores 2 --configfile studies/{study}.yaml studies/small/{study}.yaml   # the same rules, synthetic heads\n"
        "```",
        *([LEGEND] if paper["tables"] else ["There is no published number to set beside ours yet."]),
    ]
    for table in paper["tables"]:
        blocks += _table(paper, table, ours)
    if paper["reasons"]:
        blocks += ["## Why numbers may differ", "\n".join(f"* {reason}" for reason in paper["reasons"])]
    return "\n\n".join(blocks) + "\n"


def _table(paper: Options, table: Options, ours: Mapping[Key, Options]) -> Iterator[str]:
    spread = f" ± is the {table['spread']}." if table["spread"] else ""
    yield f"## {table['name']}: {table['title']}"
    yield f"{table['protocol']}{spread}"
    yield "\n".join(f"* {fact}" for fact in pages.facts_of(table))
    letters: dict[str, str] = {}
    rows = [_row((paper["name"], table["name"]), row, table, ours, letters) for row in table["rows"]]
    head = ["method", *(part for column in table["columns"] for part in (pages.column_name(column), "ours"))]
    yield "\n".join([_line(head), _line(["---"] * len(head)), *map(_line, rows)])
    if letters:
        yield "\n".join(f"* ({letter}) waits for {reason}" for reason, letter in letters.items())


def _row(where: Key, row: Options, table: Options, ours: Mapping[Key, Options], letters: dict[str, str]) -> list[str]:
    cells = [row["name"]]
    for place, column in enumerate(table["columns"]):
        number, spread = papers.split(row["values"][place])
        digits = pages.digits_of(table, place)
        cells.append(pages.published_text(number, spread, digits))
        line = ours.get((*where, row["name"], *(str(column[key] or "") for key in COLUMN)))
        cells.append(_value(line, digits) if line else f"({_letter(waits_for(column, row, False, False), letters)})")
    return cells


def _value(line: Options, digits: int) -> str:
    bounds = f" [{float(line['low']):.{digits}f}, {float(line['high']):.{digits}f}]" if line["low"] and line["high"] else ""
    return f"{'' if line['exact'] == '1' else '≈ '}{float(line['value']):.{digits}f}{bounds}"


def _letter(reason: str, letters: dict[str, str]) -> str:
    """Return the letter of a reason, a, b, c …, taking the next one for a new reason."""
    if reason not in letters:
        number = len(letters)
        letters[reason] = chr(ord("a") + number % 26) * (1 + number // 26)
    return letters[reason]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    write(ledgers=[Path(argument) for argument in sys.argv[1:]])
