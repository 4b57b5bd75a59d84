"""Write the tables of metrics and protocols into docs/reference/evaluation.md, between marks that the page holds."""

from __future__ import annotations

import re
from pathlib import Path

from madad.core.errors import UserError
from madad.core.provenance import complete
from madad.evaluation.metrics.empty_masks import BRAIN_DIAGONAL, FORMULA, Empty
from madad.evaluation.results.metric_table import METRICS
from madad.evaluation.results.protocol_table import FROC_POINT, PROTOCOLS, RECALL_POINT, SCORE_POINT

BETTER = {1: "larger", -1: "smaller", 0: "–"}
END = "<!-- end -->"
WHOLE, GROUPS = "test set", {"patients": "with a lesion", "healthy": "healthy", "both": "all"}


def metrics_table() -> str:
    """Return the metrics as a table in Markdown, in the order of their rows."""
    head = ("metric", "what it is", "samples", "better", "both masks empty, nothing predicted, no lesion")
    return _table(
        head,
        [
            (
                f"`{metric.name}`",
                f"{metric.note} ({metric.unit})" if metric.unit else metric.note,
                WHOLE if metric.pooled else GROUPS[metric.groups],
                BETTER[metric.better],
                _empty(metric.empty),
            )
            for metric in METRICS
        ],
    )


def protocols_table() -> str:
    """Return the protocols as a table in Markdown, in the order of their rows, and the curves."""
    rows: list[tuple[str, ...]] = [
        (f"`{protocol.name}`", protocol.kind, protocol.note or protocol.title, "yes" if protocol.oracle else "no")
        for protocol in PROTOCOLS
    ]
    points = {
        RECALL_POINT: "precision at one recall, over all samples with a lesion",
        SCORE_POINT: "voxels around one score, over all samples with a lesion",
        FROC_POINT: "one point of the free-response curve, at so many false positives per scan",
    }
    rows += [(f"`{prefix}…`", "curve", words, "no") for prefix, words in points.items()]
    return _table(("protocol", "kind", "what it is", "threshold sees test labels"), rows)


def page(text: str) -> str:
    """Return a page with the tables between `<!-- metrics -->` or `<!-- protocols -->` and `<!-- end -->` written anew.

    Raises:
        UserError: a mark is missing.
    """
    for name, table in (("metrics", metrics_table()), ("protocols", protocols_table())):
        parts = re.split(rf"(<!-- {name}:[^>]*-->\n)", text)
        if len(parts) != 3 or END not in parts[2]:
            raise UserError(
                f"docs/reference/evaluation.md: needs one place for the table of {name}, from <!-- {name}: … --> to {END}"
            )
        before, mark, after = parts
        text = before + mark + table + END + after.split(END, 1)[1]
    return text


def write(out: Path) -> None:
    """Write the tables into a page that is there.

    Raises:
        UserError: the page is missing or has no place for a table.
    """
    if not Path(out).exists():
        raise UserError(f"{out}: does not exist; give docs/reference/evaluation.md, whose tables are written anew")
    text = page(Path(out).read_text(encoding="utf-8"))
    with complete(out) as partial:
        partial.write_text(text, encoding="utf-8")


def _empty(empty: Empty | None) -> str:
    if empty is None:
        return "–"
    return "as computed" if empty == FORMULA else ", ".join(_number(value) for value in empty)


def _number(value: float | None) -> str:
    if value is None:
        return "as computed"
    return "brain's diagonal" if value == BRAIN_DIAGONAL else f"{value:g}".replace("nan", "NaN")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(map(_escaped, line))} |\n" for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|")  # a bar would end the cell
