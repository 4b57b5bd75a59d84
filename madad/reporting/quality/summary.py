"""Data quality: every subject with its numbers, the doubtful ones first, and their pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import image as picture

from madad.core.io.manifest import image_name, read_table
from madad.core.logs import warn
from madad.reporting.layout import frames, style, table_writer
from madad.reporting.layout.table_writer import Cell, Column, Table, number

# Numbers worth a column or a panel, with their titles; what a table lacks is left out.
NUMBERS = {
    "brain_volume_ml": "Brain (ml)",
    "template_dice": "Dice with template",
    "reference_dice": "Dice with given mask",
    "scalp_share": "Border below air (share)",
    "visit_ratio": "Volume relative to other visits",
    "registration_nmi": "NMI with template",
    "alignment_nmi": "NMI with reference sequence",
    "intensity_p50": "Median intensity",
    "lesion_ml": "Lesion (ml)",
    "lesion_outside": "Lesion outside brain",
    "seconds": "Time (s)",
}
# Mutual information of brains differs in its third decimal; it is written with that.
DIGITS = {"registration_nmi": 4, "alignment_nmi": 4}
# Worst first, with their colours. Unusable: the cohort's reader could do nothing with the file.
STATES = {"failed": "bad", "unusable": "bad", "excluded": "bad", "flagged": "doubtful", "ok": ""}
PICTURES = 24
THUMBNAIL = 1400  # pixels a side at most


def write_quality(judged: Sequence[Path], excluded: Sequence[Path], csv: Path, html: Path) -> None:
    """Write the table of all images: failed, excluded and flagged ones first.

    Args:
        judged: tables of all images with their verdicts, `results/quality/{cohort}/{pipeline}.tsv`.
        excluded: tables of what cohorts could not use, in `results/cohorts/{cohort}/`.
    """
    rows = read_quality(judged, excluded)
    shown = [key for key in NUMBERS if any(_finite(row, key) for row in rows)]
    columns = [
        *(Column(title, number=False) for title in ("Subject", "Cohort", "Sequence", "Split", "State", "Reason")),
        *(Column(NUMBERS[key]) for key in shown),
    ]
    counts = {state: sum(row["state"] == state for row in rows) for state in STATES}
    note = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no subjects"
    table = Table("Data quality", columns, [("", [_cells(row, shown) for row in rows])], [f"{len(rows)} images: {note}."])
    table_writer.write_csv(table, csv)
    table_writer.write_html(_within_limit(table), html)


def read_quality(judged: Sequence[Path], excluded: Sequence[Path]) -> list[dict[str, str]]:
    """Return the rows of all tables with `cohort`, `name`, `state` and `why`; doubtful ones first, then by name."""
    rows = []
    for path in judged:
        shared = {"cohort": _cohort(path, "quality")}
        rows += [
            {**row, **shared, "state": row["verdict"], "why": row["verdict_reason"], "name": image_name(row)}
            for row in read_table(path)
        ]
    for path in excluded:
        shared = {"cohort": _cohort(path, "cohorts"), "state": "unusable"}
        rows += [{**row, **shared, "name": row["subject"], "why": _excluded_because(row)} for row in read_table(path)]
    order = list(STATES)
    return sorted(rows, key=lambda row: (order.index(row["state"]), row["cohort"], row["name"], row.get("modality", "")))


def draw_montage(judged: Sequence[Path], png: Path) -> None:
    """Draw the quality pictures: of all flagged subjects first, then of others spread evenly; at most `PICTURES`."""
    rows = [row for row in read_quality(judged, []) if row.get("picture")]
    missing = [row for row in rows if not Path(row["picture"]).exists()]
    if missing:
        warn(f"{len(missing)} quality pictures are gone, such as {missing[0]['picture']}; delete the tables of their shards")
    chosen = _spread([row for row in rows if row not in missing])
    if not chosen:
        style.save(style.empty("No quality picture"), png)
        return
    pictures = [_thumbnail(Path(row["picture"])) for row in chosen]
    ratio = max(array.shape[0] / array.shape[1] for array in pictures)
    columns = min(2 if ratio < 0.45 else 4, len(chosen))
    lines, width = -(-len(chosen) // columns), 12.0 / columns
    figure, grid = plt.subplots(lines, columns, figsize=(width * columns, (width * ratio + 0.3) * lines), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, row, array in zip(grid.flat, chosen, pictures, strict=False):
        axes.imshow(array, cmap="gray")
        flagged = row["state"] != "ok"
        title = f"{row['cohort']} {row['name']} {row['modality']}" + (f"\n{row['why']}" if flagged else "")
        axes.set_title(title.replace("$", r"\$"), fontsize=8, color=style.LESION if flagged else "black", wrap=True)
    style.save(figure, png)


def draw_quality(judged: Sequence[Path], png: Path, pdf: Path) -> None:
    """Draw the distribution of every quality number over the subjects of each cohort and sequence; flagged ones are marked."""
    table = pd.DataFrame(read_quality(judged, []))
    shown = [key for key in NUMBERS if key in table and pd.to_numeric(table[key], errors="coerce").notna().any()]
    if not shown:
        style.save(style.empty("No quality numbers"), png, pdf, numbers=True)
        return
    groups = list(frames.groups(table, ["cohort", "modality"]))
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(3.2 * columns, (0.42 * len(groups) + 0.95) * lines), squeeze=False, sharey=True
    )
    for axes in grid.flat[len(shown) :]:
        axes.axis("off")
    for axes, key in zip(grid.flat, shown, strict=False):
        for place, (_, part) in enumerate(groups):
            _dots(axes, place, part, key)
        axes.set(title=NUMBERS[key], yticks=range(len(groups)), yticklabels=[" ".join(name) for name, _ in groups])
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(False, axis="y")
    style.save(figure, png, pdf, numbers=True)


def _dots(axes: plt.Axes, place: int, part: pd.DataFrame, key: str) -> None:
    values = pd.to_numeric(part[key], errors="coerce").to_numpy()
    height = place + 0.22 * np.sin(np.arange(values.size) * 2.4)
    flagged = (part["state"] != "ok").to_numpy()
    axes.scatter(values[~flagged], height[~flagged], s=8, color=style.HEALTHY, alpha=0.45, linewidths=0)
    axes.scatter(values[flagged], height[flagged], s=22, color=style.LESION, marker="X", linewidths=0)


def _excluded_because(row: dict[str, str]) -> str:
    return f"{row['path']}: {row['reason']}" if row["path"] and row["path"] not in row["reason"] else row["reason"]


def _cohort(path: str | Path, folder: str) -> str:
    parts = Path(path).parts
    return parts[parts.index(folder) + 1]


def _finite(row: dict[str, str], key: str) -> bool:
    return math.isfinite(_value(row, key))


def _value(row: dict[str, str], key: str) -> float:
    return float(row.get(key) or "nan")


def _cells(row: dict[str, str], shown: Sequence[str]) -> list[Cell]:
    state = STATES[row["state"]]
    texts = [row["name"], row["cohort"], row.get("modality", ""), row.get("split", "")]
    return [
        *map(Cell, texts),
        Cell(row["state"], state=state),
        Cell(row["why"], state=state),
        *(number(_value(row, key), DIGITS.get(key, 3)) for key in shown),
    ]


def _within_limit(table: Table) -> Table:
    """Return the table, or its doubtful rows and as many others as the page can hold; the csv has them all."""
    rows = table.groups[0][1]
    most = 500_000 // (90 * len(table.columns))
    if len(rows) <= most:
        return table
    note = f"The first {most} rows of {len(rows)}; the csv file has all."
    return Table(table.title, table.columns, [("", rows[:most])], [*table.notes, note])


def _spread(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    doubtful = [row for row in rows if row["state"] != "ok"][:PICTURES]
    fine = [row for row in rows if row["state"] == "ok"]
    room = min(PICTURES - len(doubtful), len(fine))
    return doubtful + [fine[int(place)] for place in np.linspace(0, len(fine) - 1, room).round()] if room else doubtful


def _thumbnail(path: Path) -> np.ndarray:
    array = picture.imread(path)
    step = max(1, -(-max(array.shape[:2]) // THUMBNAIL))
    return array[::step, ::step]
