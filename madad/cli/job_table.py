"""What a dry run of Snakemake says, with one short table of jobs."""

from __future__ import annotations

import re

from madad.reporting.deliverables.registry import DELIVERABLES

STATISTICS = re.compile(r"^Job stats:\n.*?^total +\d+\n\n?", re.M | re.S)
ROW = re.compile(r"^(\w+) +(\d+)$", re.M)
REASONS = re.compile(r"^Reasons:\n.*?(?=^\S)", re.M | re.S)
LAST = "This was a dry-run (flag -n). The order of jobs does not reflect the order of execution.\n"
REPORT = "tables, figures, pages"


def shortened(text: str) -> str:
    """Return the output of a dry run with its jobs in one table, those of the report in one row.

    Args:
        text: what `snakemake -n --quiet rules` printed.
    """
    tables = STATISTICS.findall(text)
    rest = REASONS.sub("", STATISTICS.sub("", text)).replace(LAST, "").strip()
    if not tables:
        return rest
    counts = {name: int(number) for name, number in ROW.findall(tables[0])}
    total = counts.pop("total") - counts.pop("all", 0)
    shown = {row.name for row in DELIVERABLES}
    rows = {name: number for name, number in counts.items() if name not in shown}
    if of_report := total - sum(rows.values()):
        rows[REPORT] = of_report
    rows["total"] = total
    lines = [f"{number:>8}  {name}" for name, number in rows.items()]
    return "\n".join([*([rest, ""] if rest else []), "    jobs  of the rule", *lines])
