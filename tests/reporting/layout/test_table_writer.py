from __future__ import annotations

import csv
import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from madad.reporting.layout import table_writer
from madad.reporting.layout.table_writer import Cell, Column, Table


def has_latex(*packages: str) -> bool:
    tools = shutil.which("pdflatex") and shutil.which("kpsewhich")
    return bool(tools) and all(
        not subprocess.run(["kpsewhich", one], capture_output=True, check=False).returncode for one in packages
    )


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


@pytest.mark.parametrize(("value", "text"), [(0.12345, "0.123"), (4.5678, "4.57"), (45.678, "45.7"), (1234.5, "1234"), (0, "0")])
def test_numbers_have_sensible_digits(value: float, text: str) -> None:
    assert table_writer.number(value).text == text


def test_interval_is_written_with_its_bounds() -> None:
    assert table_writer.interval(0.4234, 0.3, 0.5555).text == "0.423 [0.30, 0.56]"
    assert table_writer.interval(0.4234, math.nan, math.nan).text == "0.423"
    assert table_writer.interval(math.nan, math.nan, math.nan).text == table_writer.NOTHING


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((20.8, 20.45, 21.3), "20.8 [20.4, 21.3]"),  # not [20, 21]
        ((0.998, 0.9964, 0.9991), "0.998 [0.996, 0.999]"),  # not [1.00, 1.00]
        ((0.5, 0.5, 0.5), "0.500 [0.500, 0.500]"),
        ((1.53, 1.42, 1.61), "1.53 [1.4, 1.6]"),
        ((0.001, 0.0, 0.004), "0.001 [0.000, 0.004]"),
    ],
)
def test_bounds_are_not_rounded_past_the_value(values: tuple, text: str) -> None:
    assert table_writer.interval(*values).text == text


MIXED = Table(
    "Mixed",
    [Column("Method", number=False), Column("AUPRC")],
    [
        (
            "",
            [
                [Cell("a"), table_writer.interval(0.5, 0.4, 0.6)],
                [Cell("b [1]"), table_writer.interval(0.9, 0.899, 0.901)],
                [Cell("c"), table_writer.number(0.1)],
            ],
        )
    ],
)


def test_numbers_stand_below_numbers(tmp_path) -> None:
    """What is behind every number, seen or not, is as long as the longest interval."""
    table_writer.write_tex(MIXED, tmp_path / "t.tex")
    lines = [line for line in (tmp_path / "t.tex").read_text().splitlines() if "&" in line][1:]
    assert "0.500 [0.40, 0.60]\\phantom{00} " in lines[0]
    assert "0.900 [0.899, 0.901] " in lines[1] and "phantom" not in lines[1]
    assert "\phantom{ [0.899, 0.901]}" in lines[2]
    table_writer.write_html(MIXED, tmp_path / "t.html")
    assert '0.100<span aria-hidden="true" style="visibility:hidden"> [0.899, 0.901]</span>' in (tmp_path / "t.html").read_text()


def test_csv_carries_the_group(tmp_path) -> None:
    table_writer.write_csv(TABLE, tmp_path / "t.csv")
    rows = list(csv.reader((tmp_path / "t.csv").open()))
    assert rows[0] == ["Test set", "Method", "Dice ↑ (%)"]
    assert rows[1] == ["to_test", "a_b<script>", "0.500 [0.40, 0.60]"]


def test_tex_is_booktabs_and_escaped(tmp_path) -> None:
    table_writer.write_tex(TABLE, tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text()
    assert all(rule in text for rule in ("\\toprule", "\\midrule", "\\bottomrule"))
    assert "a\\_b" in text
    assert "$\\uparrow$ (\\%)" in text
    assert "\\textbf{0.500 [0.40, 0.60]}" in text
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


def test_long_table_may_break_over_pages(tmp_path) -> None:
    long = Table("long", [Column("x")], [("a", [[Cell(str(place))] for place in range(100)])])
    table_writer.write_tex(long, tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text()
    assert "\\begin{longtable}{r}" in text and "\\endhead" in text and "\\usepackage{booktabs,longtable}" in text
    assert "tabular" not in text


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
        made = table_writer.escaped(text)
        assert made.isascii(), text
        bare = re.sub(r"\\[a-zA-Z]+(\{\})?|\\[&%$#_{}]|\$[^$]*\$", "", made)
        assert not re.search(r"[&%$#_{}^~<>|\\]", bare), made


@pytest.mark.skipif(not has_latex("booktabs.sty", "longtable.sty", "graphicx.sty"), reason="needs pdflatex and its packages")
@pytest.mark.parametrize(("columns", "rows"), [(2, 3), (40, 3), (2, 100)])
def test_latex_compiles_and_fits_the_page(tmp_path: Path, columns: int, rows: int) -> None:
    cells = [[table_writer.interval(0.5, 0.4, 0.6) for _ in range(columns)] for _ in range(rows)]
    table = Table("t", [Column(f"Dice_{number} ↑ (%)") for number in range(columns)], [("to_test", cells)], ["a note"])
    table_writer.write_tex(table, tmp_path / "t.tex")
    packages = re.search(r"usepackage\{(.*)\}", (tmp_path / "t.tex").read_text()).group(1)
    document = (
        f"\\documentclass{{article}}\\usepackage{{{packages}}}\\begin{{document}}\\noindent\\input{{t.tex}}\\end{{document}}"
    )
    (tmp_path / "document.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Overfull" not in done.stdout, done.stdout[-2000:]
