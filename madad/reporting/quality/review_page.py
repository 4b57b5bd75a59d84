"""The page on which a person judges images: one row per subject, outliers first, pictures that open on a click.

It lies in the results folder and finds the pictures by relative links, so that thousands of them cost it nothing.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from madad.core.io.manifest import Row
from madad.core.provenance import complete
from madad.data.preprocessing import quality_control
from madad.reporting.layout import table_writer
from madad.reporting.layout.table_writer import NOTHING, Cell
from madad.reporting.quality.summary import DIGITS, NUMBERS, STATES, read_quality

# What each state means, for the legend.
MEANINGS = {
    "failed": "a step of preprocessing broke",
    "unusable": "the file could not be read, or lacked what it needs",
    "excluded": "beyond a limit that excludes, or taken out by hand: in no training, no test, no fit",
    "flagged": "beyond a limit, or an outlier among the images of its cohort and sequence: goes on, and wants a look",
    "ok": "nothing to say, or kept by hand",
}


@dataclass(frozen=True)
class Picture:
    """One image of a subject.

    Attributes:
        label: session and sequence.
        state, why: the verdict and its reasons.
        source: link to the picture, relative to the page; empty when there is none.
        width, height: in pixels.
        split: where it stands.
    """

    label: str
    state: str
    why: str
    source: str
    width: int
    height: int
    split: str


@dataclass(frozen=True)
class Line:
    """One row of the page.

    Attributes:
        name, cohort: of the subject.
        state: the worst of its images.
        about: group, site, age and sex, as far as they are known.
        pictures: its images beside each other.
        farthest: largest modified z-score towards the bad side, and the measure it is of.
        cells: for every measure one value an image.
        keys: what the measures sort by, the most unusual of the images.
    """

    name: str
    cohort: str
    state: str
    about: str
    pictures: list[Picture]
    farthest: Cell
    cells: list[list[Cell]]
    keys: list[str]

    @property
    def splits(self) -> list[str]:
        """Splits of its images: one, as a subject is never in two, or none."""
        return sorted({picture.split for picture in self.pictures if picture.split})

    @property
    def found_by(self) -> str:
        """What the search looks through."""
        texts = [self.name, self.cohort, self.about, *(f"{picture.label} {picture.why}" for picture in self.pictures)]
        return " ".join(texts).lower()


def write_page(
    judged: Sequence[Path], quality_records: Sequence[Path], excluded: Sequence[Path], quality_lists: dict, out: Path
) -> None:
    """Write the page of all cohorts.

    Args:
        judged: rows that `madad.data.preprocessing.quality_control.judge` wrote.
        quality_records: what it wrote beside them.
        excluded: what cohorts could not use, in `results/cohorts/{cohort}/`.
        quality_lists: `exclude` and `keep` of the config, by cohort: the rows that are ticked when the page opens.
        out: where the page shall lie; links are relative to it.
    """
    known = [json.loads(Path(path).read_text()) for path in quality_records]
    usual = {record["cohort"]: record["usual"] for record in known}
    limits = known[0]["limits"] if known else {}
    threshold = known[0]["outlier_z"] if known else None
    rows = read_quality(judged, excluded)
    judging = [key for key in NUMBERS if key in limits]
    shown = [key for key in judging if any(not math.isnan(quality_control.number(row, key)) for row in rows)]
    page = _render(
        lines=lines(rows, shown, limits, usual, threshold, Path(out).parent),
        columns=[(NUMBERS[key], key, _limits(limits.get(key))) for key in shown],
        counts={state: sum(row["state"] == state for row in rows) for state in STATES},
        images=len(rows),
        threshold=threshold,
        lists=quality_lists,
        strangers=[line for record in known for line in record["strangers"]],
    )
    with complete(out) as partial:
        partial.write_text(page, encoding="utf-8")


def lines(
    rows: Sequence[Row], shown: Sequence[str], limits: dict, usual: dict, threshold: float | None, folder: Path
) -> list[Line]:
    """Return a line for every subject: the worst state first, and within a state what is farthest from the usual."""
    subjects: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["cohort"], row["subject"], row.get("session") or "", row.get("modality") or "")):
        subjects.setdefault((row["cohort"], row["subject"]), []).append(row)
    made = [_line(own, shown, limits, usual.get(cohort, {}), threshold, folder) for (cohort, _), own in subjects.items()]
    order, made = list(STATES), _evened(made)
    return sorted(made, key=lambda line: (order.index(line.state), -(line.farthest.order or 0.0), line.cohort, line.name))


def _evened(made: Sequence[Line]) -> list[Line]:
    """Return the lines with the same decimals for every measure."""
    columns = [
        iter(table_writer.even([cell for cells in own for cell in cells]))
        for own in zip(*(one.cells for one in made), strict=True)
    ]
    return [
        replace(line, cells=[[next(column) for _ in cells] for cells, column in zip(line.cells, columns, strict=True)])
        for line in made
    ]


def _line(rows: list[Row], shown: Sequence[str], limits: dict, usual: dict, threshold: float | None, folder: Path) -> Line:
    order, first = list(STATES), rows[0]
    scores = [{key: unusual(row, key, usual) for key in quality_control.OUTLIER_SIDES} for row in rows]
    score, measure = max(((own[key], key) for own in scores for key in own), default=(0.0, ""))
    cells = [
        [_cell(row, key, limits.get(key), far.get(key, 0.0), threshold) for row, far in zip(rows, scores, strict=True)]
        for key in shown
    ]
    known = {key: next((row[key] for row in rows if row.get(key)), "") for key in ("group", "site", "sex", "age")}
    age = f"{float(known.pop('age')):.0f} y" if known["age"] else ""
    return Line(
        name=first["subject"],
        cohort=first["cohort"],
        state=min((row["state"] for row in rows), key=order.index),
        about=", ".join(text for text in (*known.values(), age) if text),
        pictures=[_picture(row, folder) for row in rows],
        farthest=Cell(f"{score:.1f} {NUMBERS[measure]}", score) if score > 0 else Cell(NOTHING, 0.0),
        cells=cells,
        keys=[_key(own, quality_control.OUTLIER_SIDES.get(key)) for key, own in zip(shown, cells, strict=True)],
    )


def unusual(row: Row, measure: str, usual: dict) -> float:
    """Return how far a measure lies from its cohort's median towards the bad side, as modified z-score; 0 where unknown."""
    known = usual.get(row.get("modality"), {}).get(measure)
    value = quality_control.number(row, measure)
    if known is None or math.isnan(value):
        return 0.0
    score = float(quality_control.scores(np.array([value]), known)[0])
    return abs(score) if quality_control.OUTLIER_SIDES[measure] == "both" else max(0.0, -score)


def _picture(row: Row, folder: Path) -> Picture:
    label = " ".join(text for text in (row.get("session"), row.get("modality")) if text) or "file"
    source = quote(os.path.relpath(row["picture"], folder)) if row.get("picture") else ""
    return Picture(label, row["state"], row["why"], source, *_size(row.get("picture")), row.get("split") or "")


def _size(path: str | None) -> tuple[int, int]:
    """Return width and height of a picture, so that the page keeps room for it; 0 without one."""
    if not path or not Path(path).exists():
        return 0, 0
    with Image.open(path) as image:
        return image.size


def _cell(row: Row, measure: str, own: dict | None, far: float, threshold: float | None) -> Cell:
    value = quality_control.number(row, measure)
    if math.isnan(value):
        return Cell(NOTHING, math.nan)
    limits = own or {"exclude": None, "flag": None}
    doubtful = quality_control.beyond(value, limits["flag"]) or (threshold and far > threshold)
    state = "bad" if quality_control.beyond(value, limits["exclude"]) else "doubtful" if doubtful else ""
    return replace(table_writer.number(value, DIGITS.get(measure, 3)), state=state)


def _key(cells: list[Cell], side: str | None) -> str:
    values = [cell.order for cell in cells if cell.order is not None and math.isfinite(cell.order)]
    return f"{(min if side == 'low' else max)(values):.9g}" if values else ""


def _limits(own: dict | None) -> list[str]:
    """Return `flag < 900` and the like, for the head of a column."""
    made = []
    for kind, pair in sorted((own or {}).items(), reverse=True):
        made += [f"{kind} {sign} {bound:g}" for sign, bound in zip("<>", pair or (), strict=False) if bound is not None]
    return made


def _render(**content: object) -> str:
    styles = table_writer.asset("table.css") + table_writer.asset("quality.css")
    script = table_writer.asset("sort.js") + table_writer.asset("quality.js")
    return (
        table_writer.templates()
        .get_template("quality.html")
        .render(**content, states=list(STATES), colours=STATES, meanings=MEANINGS, style=styles, script=script)
    )
