from __future__ import annotations

import csv
import math
import re

import pytest

from madad.reporting import tables
from madad.reporting.tables import Cell, Column, Table

TABLE = Table(
    "A & B",
    [Column("Method", number=False), Column("Dice ↑ (%)", "what it is")],
    [("to_test", [[Cell("a_b<script>"), tables.interval(0.5, 0.4, 0.6, bold=True)], [Cell("c"), tables.number(math.nan)]])],
    ["a note"],
    group_title="Test set",
)


@pytest.mark.parametrize(("value", "text"), [(0.12345, "0.123"), (4.5678, "4.57"), (45.678, "45.7"), (1234.5, "1234"), (0, "0")])
def test_numbers_have_sensible_digits(value: float, text: str) -> None:
    assert tables.number(value).text == text


def test_interval_is_written_with_its_bounds() -> None:
    assert tables.interval(0.4234, 0.3, 0.5555).text == "0.423 [0.30, 0.56]"
    assert tables.interval(0.4234, math.nan, math.nan).text == "0.423"
    assert tables.interval(math.nan, math.nan, math.nan).text == tables.NOTHING


def test_csv_carries_the_group(tmp_path) -> None:
    tables.write_csv(TABLE, tmp_path / "t.csv")
    rows = list(csv.reader((tmp_path / "t.csv").open()))
    assert rows[0] == ["Test set", "Method", "Dice ↑ (%)"]
    assert rows[1] == ["to_test", "a_b<script>", "0.500 [0.40, 0.60]"]


def test_tex_is_booktabs_and_escaped(tmp_path) -> None:
    tables.write_tex(TABLE, tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text()
    assert all(rule in text for rule in ("\\toprule", "\\midrule", "\\bottomrule"))
    assert "a\\_b" in text
    assert "$\\uparrow$ (\\%)" in text
    assert "\\textbf{0.500 [0.40, 0.60]}" in text
    body = [line for line in text.splitlines() if line.endswith("\\\\") and "multicolumn" not in line]
    assert {line.count("&") for line in body} == {1}


def test_page_is_self_contained_and_escaped(tmp_path) -> None:
    tables.write_html(TABLE, tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert "a_b&lt;script&gt;" in page
    assert not re.search(r"(src|href)=|@import|https?://", page)
    assert "localStorage" not in page


def test_missing_number_sorts_apart(tmp_path) -> None:
    tables.write_html(TABLE, tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert 'data-key="0.5"' in page
    assert 'data-key=""' in page


def test_page_too_large_for_the_report_is_refused(tmp_path) -> None:
    huge = Table("huge", [Column("x")], [("", [[Cell("x" * 100)]] * 20_000)])
    with pytest.raises(ValueError, match="would not open"):
        tables.write_html(huge, tmp_path / "t.html")
    assert not (tmp_path / "t.html").exists()


def test_fragment_is_no_page(tmp_path) -> None:
    tables.write_fragment(TABLE, tmp_path / "f.html")
    text = (tmp_path / "f.html").read_text()
    assert "<html" not in text
    assert "font-weight:700" in text
