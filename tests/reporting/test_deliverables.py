"""The rows of the report agree with the functions behind them, with the captions and with each other."""

from __future__ import annotations

import importlib
import inspect
from collections import Counter
from pathlib import Path

import pytest

from madad.reporting.deliverables.registry import DELIVERABLES
from madad.reporting.deliverables.row import Deliverable, figure, table

ROOT = Path(__file__).resolve().parents[2]
OUTPUTS = [output for row in DELIVERABLES for output in row.outputs]
SHOWN = [output for output in OUTPUTS if output.labels]
ROWS = pytest.mark.parametrize("row", DELIVERABLES, ids=lambda row: row.name)


@ROWS
def test_row_and_function_agree(row: Deliverable) -> None:
    module, name = row.function.split(":")
    function = getattr(importlib.import_module(module), name)
    named = [*row.inputs, *row.options, *(output.argument for output in row.outputs if not output.beside)]
    assert sorted(named) == sorted(inspect.signature(function).parameters)


@ROWS
def test_wildcards_are_the_same_in_all_files(row: Deliverable) -> None:
    assert all(set(row.wildcards) == set(Deliverable("", "", "", (), (output,)).wildcards) for output in row.outputs)
    assert row.log == "/".join(["results/logs", row.name, *(f"{{{name}}}" for name in row.wildcards)]) + ".log"
    labels = [value for output in row.outputs for value in (output.labels or {}).values()]
    marked = {
        name for text in [*labels, row.subsection or ""] for name in Deliverable("", "", "", (), figure(text, {}, "")).wildcards
    }
    assert marked <= set(row.wildcards), "a label names a wildcard that the files lack"


@ROWS
def test_what_is_shown_has_a_section_and_its_caption_exists(row: Deliverable) -> None:
    shown = [output for output in row.outputs if output.labels]
    assert bool(shown) == bool(row.section)
    assert all((ROOT / f"report/{output.caption}.rst").is_file() for output in shown if output.caption)
    assert (ROOT / f"envs/{row.environment}.yaml").is_file()
    assert row.about.endswith(".") and "\n" not in row.about


def test_names_and_files_are_unique() -> None:
    for values in ([row.name for row in DELIVERABLES], [row.log for row in DELIVERABLES], [file.path for file in OUTPUTS]):
        assert not [value for value, number in Counter(values).items() if number > 1]
    # the report calls its entries by the names of the files alone
    names = [Path(output.path).name for output in SHOWN]
    assert len(names) > 40 and len(names) == len(set(names))


def test_no_caption_is_left_over() -> None:
    written = {path.stem for path in (ROOT / "report").glob("*.rst")} - {"workflow"}
    assert written == {output.caption for output in SHOWN} - {""}


def test_a_table_has_a_page_in_the_report_and_its_csv_on_request() -> None:
    plain, both = table("mine", "Mine"), table("mine", "Mine", csv=True, fragment=True)
    assert [output.argument for output in plain] == ["csv", "html", "tex", "numbers"]
    assert [output.argument for output in plain if output.labels] == ["html"]
    assert [output.argument for output in both if output.labels] == ["csv", "html"]
    assert both[-1].path == "results/landing/mine.html" and both[-1].labels is None
