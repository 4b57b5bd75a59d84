"""What the page of a method shows of other places: the fidelity to released code, published numbers, a picture of its maps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from madad.configuration.schema import Options
from madad.core.provenance import ROOT
from madad.reporting.documentation.paper_pages import STUDIES, page_name
from madad.reporting.reproduction import pages, papers

PICTURES = ROOT / "docs/reference/methods/pictures"
# Headings of the page on fidelity, by the first word of the identifiers in tests/golden: a card's name where there is a card.
SYSTEMS = {
    "ddpm": "DDPM",
    "pddpm": "pDDPM",
    "mddpm": "mDDPM",
    "cddpm": "cDDPM",
    "spark": "SparK",
    "mad_ad": "MAD-AD",
    "mhd": "MHD",
    "scoring": "Published scoring",
    "fluid": "Fluid-driven lesions",
    "ldm": "LDM of the CondDiff paper",
    "conddiff": "CondDiff",
}
CAPTION = (
    "Maps of small networks (seed 0, the default run or `studies/small/soop_every_method.yaml`) "
    "on three test slices of `soop`, strokes on FLAIR, whose lesions are of "
    "median and larger volume; the brightest colour is the highest score of the slice. Drawn by `docs/tools/method_pictures.py`."
)
LEGEND = (
    "As the papers print them, on their data and by their protocols; no number of ours. The unit is that of the paper. "
    "[Published numbers](../../how-to/published_numbers.md) says how to set a run beside them; a mark such as [fig] or [recall] "
    "says how a number was read, without a mark from the text."
)


def fidelity(name: str) -> str:
    """Return where the comparison of a method with the released code of its paper is, or that there is none."""
    if name not in SYSTEMS:
        return "No output of released code is compared with this method ([fidelity](../fidelity.md))."
    anchor = SYSTEMS[name].lower().replace(" ", "-")
    return (
        f"Its parts are compared with outputs of the released code, number by number: [{SYSTEMS[name]}](../fidelity.md#{anchor})."
        " [Differences that remain](../fidelity.md#differences-that-remain) are listed with their measured effect."
    )


def published(name: str) -> Iterator[Sequence[str]]:
    """Yield every published number of a method: paper, table, row, what was measured, and the number."""
    for paper, table, row in _rows():
        if row["card"] != name:
            continue
        for place, column in enumerate(table["columns"]):
            number, spread = papers.split(row["values"][place])
            digits = pages.digits_of(table, place)
            if number == number:
                where = f"{paper['name']}, {table['name']}"
                yield (
                    f"[{where}](../papers/{page_name(paper)})" if paper["name"] in STUDIES else where,
                    row["name"] + _settings(row),
                    pages.column_name(column),
                    pages.published_text(number, spread, digits) + pages.certainty_mark(row.get("certainty", table["certainty"])),
                )


def picture(name: str) -> Path | None:
    """Return the picture of a method's maps below the page's folder, if one was made by docs/tools/method_pictures.py."""
    return Path(PICTURES.name) / f"{name}.png" if (PICTURES / f"{name}.png").is_file() else None


def _settings(row: Options) -> str:
    told = ", ".join(f"{key}: {json.dumps(value)}" for key, value in row["variant"].items())
    return f" ({told})" if told else ""


@cache
def _rows() -> list[tuple[Options, Options, Options]]:
    return [(paper, table, row) for paper in papers.load() for table in paper["tables"] for row in table["rows"]]
