"""Compare every table of two results folders cell by cell: what a change of the code changed in the numbers.

    python workflow_scripts/compare_results.py before/results after/results

Two runs of one configuration with equal seeds, on one machine and with the same `--cores`, differ in what was measured of the
machine alone: columns and metrics of time and memory are counted, not compared. The exit status is 0 if nothing else differs.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

TABLES = ("*.csv", "*.tsv")
# of the machine, not of the method
COST = re.compile(r"seconds?|\btime\b|\(min\)|memory|wall|cpu|per_s\b|_mb\b|_s\b", re.IGNORECASE)
# of a table, printed before the rest is counted
SHOWN = 5


def tables(folder: Path) -> dict[str, Path]:
    """Return the tables below a folder by their relative paths."""
    return {str(path.relative_to(folder)): path for pattern in TABLES for path in sorted(folder.rglob(pattern))}


def read(path: Path) -> list[list[str]]:
    """Return the cells of a table, its header first."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.reader(stream, delimiter="\t" if path.suffix == ".tsv" else ","))


def equal(first: str, second: str, tolerance: float) -> bool:
    """Return whether two cells hold the same text, or numbers within the relative tolerance."""
    if first == second:
        return True
    try:
        return math.isclose(float(first), float(second), rel_tol=tolerance, abs_tol=0)
    except ValueError:
        return False


def of_machine(header: list[str], row: list[str], column: int) -> bool:
    """Return whether a cell tells time or memory: by the name of its column or, in a table of metrics, by the row's metric."""
    named = header[column] if column < len(header) else ""
    metric = row[header.index("metric")] if "metric" in header else row[header.index("measure")] if "measure" in header else ""
    return bool(COST.search(named) or COST.search(metric))


def differences(first: Path, second: Path, tolerance: float) -> tuple[list[str], int]:
    """Return the differences of two tables in words, and how many cells differ in time or memory."""
    before, after = read(first), read(second)
    if len(before) != len(after) or before[:1] != after[:1]:
        return [f"{len(before)} and {len(after)} rows, columns {before[:1]} and {after[:1]}"], 0
    found, cost = [], 0
    for number, (old, new) in enumerate(zip(before, after, strict=True), start=1):
        for column in range(max(len(old), len(new))):
            cells = [row[column] if column < len(row) else "" for row in (old, new)]
            if equal(*cells, tolerance):
                continue
            if of_machine(before[0], old, column):
                cost += 1
            else:
                found.append(f"line {number}, {before[0][column]}: {cells[0]!r} and {cells[1]!r}")
    return found, cost


def compare(before: Path, after: Path, tolerance: float) -> Iterator[str]:
    """Yield one line per difference between the tables of two folders, and a last one that sums up."""
    old, new = tables(before), tables(after)
    for name in sorted(old.keys() ^ new.keys()):
        yield f"{name}: only in {before if name in old else after}"
    identical, cost = 0, 0
    for name in sorted(old.keys() & new.keys()):
        found, of_cost = differences(old[name], new[name], tolerance)
        identical += not found
        cost += of_cost
        yield from (f"{name}: {one}" for one in found[:SHOWN])
        if len(found) > SHOWN:
            yield f"{name}: {len(found) - SHOWN} more"
    print(f"{identical} of {len(old.keys() & new.keys())} tables are equal but for {cost} cells of time and memory")


def main() -> int:
    """Print the differences; return 1 if there is one."""
    parser = argparse.ArgumentParser(description="Compare every table of two results folders.")
    parser.add_argument("before", type=Path, help="results folder of the one run")
    parser.add_argument("after", type=Path, help="results folder of the other run")
    parser.add_argument("--tolerance", type=float, default=0.0, help="relative difference of numbers that counts as none")
    arguments = parser.parse_args()
    for folder in (arguments.before, arguments.after):
        if not tables(folder):
            parser.error(f"{folder}: there is no table below it; name the results folder of a run")
    found = 0
    for line in compare(arguments.before, arguments.after, arguments.tolerance):
        print(line)
        found = 1
    return found


if __name__ == "__main__":
    sys.exit(main())
