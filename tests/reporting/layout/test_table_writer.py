from __future__ import annotations

import csv
import math
import re

import pytest

from madad.reporting.layout import latex, table_writer
from madad.reporting.layout.table_writer import Cell, Column, Table

TABLE = Table(
    "A & B",
    [Column("Method", number=False), Column("Dice ↑ (%)", "what it is")],
    [
        (
            "to_test",
            [[Cell("a_b<script>"), table_writer.interval(0.5, 0.4, 0.6, bold=True)], [Cell("c"), table_writer.number(math.nan)]],
        )
    ],
    ["a note"],
    group_title="Test set",
)


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.123"), (4.5678, "4.57"), (45.678, "45.7"), (1234.5, "1234"), (0, "0.000")]
)
def test_numbers_have_sensible_digits(value: float, text: str) -> None:
    assert table_writer.number(value).text == text


def test_interval_is_written_with_its_bounds() -> None:
    assert table_writer.interval(0.4234, 0.3, 0.5556).text == "0.423 [0.300, 0.556]"
    assert table_writer.interval(0.4234, math.nan, math.nan).text == "0.423"
    assert table_writer.interval(math.nan, math.nan, math.nan).text == table_writer.NOTHING


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.1234, 9.87, 45.24], ["0.12", "9.87", "45.24"]),
        ([9.87, 45.24], ["9.9", "45.2"]),
        ([0.002, 1234.5], ["0.002", "1234.500"]),
        ([12, 1234.5], ["12", "1234"]),
        ([0, 0.5, math.nan], ["0.000", "0.500", table_writer.NOTHING]),
        ([-0.00001, 0.5], ["0.000", "0.500"]),
    ],
)
def test_numbers_of_a_column_have_the_same_decimals(values: list[float], texts: list[str]) -> None:
    table = Table("t", [Column("x")], [(str(place), [[table_writer.number(value)]]) for place, value in enumerate(values)])
    assert [row[0].text for _, row in table.rows()] == texts


def test_bounds_have_the_decimals_of_their_numbers() -> None:
    cells = table_writer.even([table_writer.interval(20.84, 20.45, 21.3), table_writer.interval(3.2, 2.1, 4.4), Cell("a")])
    assert [cell.text for cell in cells] == ["20.8 [20.4, 21.3]", "3.2 [2.1, 4.4]", "a"]


MIXED = Table(
    "Mixed",
    [Column("Method", number=False), Column("AUPRC")],
    [
        (
            "",
            [
                [Cell("a"), table_writer.interval(0.5, 0.4, 0.6)],
                [Cell("b [1]"), table_writer.interval(-0.9, -0.951, -0.801)],
                [Cell("c"), table_writer.number(0.1)],
            ],
        )
    ],
)


def test_numbers_stand_below_numbers(tmp_path) -> None:
    """What is behind every number, seen or not, is as long as the longest interval."""
    table_writer.write_tex(MIXED, tmp_path / "t.tex")
    lines = [line for line in (tmp_path / "t.tex").read_text().splitlines() if "&" in line][1:]
    assert "0.500 [0.400, 0.600]\\phantom{00} " in lines[0]
    assert "-0.900 [-0.951, -0.801] " in lines[1] and "phantom" not in lines[1]
    assert "\phantom{ [-0.951, -0.801]}" in lines[2]
    table_writer.write_html(MIXED, tmp_path / "t.html")
    assert '0.100<span aria-hidden="true" style="visibility:hidden"> [-0.951, -0.801]</span>' in (tmp_path / "t.html").read_text()


def test_csv_carries_the_group(tmp_path) -> None:
    table_writer.write_csv(TABLE, tmp_path / "t.csv")
    rows = list(csv.reader((tmp_path / "t.csv").open()))
    assert rows[0] == ["Test set", "Method", "Dice ↑ (%)"]
    assert rows[1] == ["to_test", "a_b<script>", "0.500 [0.400, 0.600]"]


def test_tex_is_booktabs_and_escaped(tmp_path) -> None:
    table_writer.write_tex(TABLE, tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text()
    assert all(rule in text for rule in ("\\toprule", "\\midrule", "\\bottomrule"))
    assert "a\\_b" in text
    assert "$\\uparrow$ (\\%)" in text
    assert "\\textbf{0.500 [0.400, 0.600]}" in text
    body = [line for line in text.splitlines() if line.endswith("\\\\") and "multicolumn" not in line]
    assert {line.count("&") for line in body} == {1}


def test_page_is_self_contained_and_escaped(tmp_path) -> None:
    table_writer.write_html(TABLE, tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert "a_b&lt;script&gt;" in page
    assert not re.search(r"(src|href)=|@import|https?://", page)
    assert "localStorage" not in page


def test_missing_number_sorts_apart(tmp_path) -> None:
    table_writer.write_html(TABLE, tmp_path / "t.html")
    page = (tmp_path / "t.html").read_text()
    assert 'data-key="0.5"' in page
    assert 'data-key=""' in page


def test_page_too_large_for_the_report_is_refused(tmp_path) -> None:
    huge = Table("huge", [Column("x")], [("", [[Cell("x" * 100)]] * 20_000)])
    with pytest.raises(ValueError, match="would not open"):
        table_writer.write_html(huge, tmp_path / "t.html")
    assert not (tmp_path / "t.html").exists()


def test_fragment_is_no_page(tmp_path) -> None:
    table_writer.write_fragment(TABLE, tmp_path / "f.html")
    text = (tmp_path / "f.html").read_text()
    assert "<html" not in text
    assert "font-weight:700" in text


def test_a_bracket_at_the_start_of_a_line_is_no_option_of_the_line_before(tmp_path) -> None:
    table_writer.write_tex(Table("t", [Column("x", number=False)], [("", [[Cell("[a]")], [Cell("*b")]])]), tmp_path / "t.tex")
    assert "\n{}[a] \\\\\n{}*b \\\\\n" in (tmp_path / "t.tex").read_text()


def test_every_sign_of_titles_and_notes_has_its_latex() -> None:
    """Without a LaTeX installation: what pdfLaTeX does not know must not be left in a text that tables show."""
    from madad.evaluation.results.measures import measures
    from madad.reporting.tables.subjects import COLUMNS, REDUCTIONS

    titles = [measure.title + measure.metric.unit for measure in measures()]
    texts = [
        *titles,
        *(metric.title for metric in COLUMNS),
        *REDUCTIONS.values(),
        "n ≤ 3 × 4², a → b ↑ ↓ ± − – ≥ … 5 % & $ # _ {x} ~ ^ \\ < > |",
    ]
    for text in texts:
        made = latex.escaped(text)
        assert made.isascii(), text
        bare = re.sub(r"\\[a-zA-Z]+(\{\})?|\\[&%$#_{}]|\$[^$]*\$", "", made)
        assert not re.search(r"[&%$#_{}^~<>|\\]", bare), made
