"""LaTeX tables fit the pages of two common classes at a size that can be read."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from madad.reporting.layout import latex
from madad.reporting.layout.table_writer import Cell, Column, Table, interval

CLASSES = {"article": "[twocolumn]{article}", "llncs": "[runningheads]{llncs}"}


def has_latex(*files: str) -> bool:
    tools = shutil.which("pdflatex") and shutil.which("kpsewhich")
    return bool(tools) and all(
        not subprocess.run(["kpsewhich", one], capture_output=True, check=False).returncode for one in files
    )


def table(columns: int, groups: int, rows: int, text: str = "") -> Table:
    """Intervals under long heads; every other one stands out."""
    titles = [Column("Method", number=False), *([Column("Started from", number=False)] if text else [])]
    titles += [Column(f"Sensitivity_{place} at a specificity of 95 % ↑") for place in range(columns)]
    lines = [
        [
            Cell("mad_ad_variant"),
            *([Cell(text)] if text else []),
            *(interval(0.5, 0.4, 0.6, bold=place % 2 == 0) for place in range(columns)),
        ]
        for _ in range(rows)
    ]
    return Table(
        "Dice & more", titles, [(f"set {place}, FLAIR", [list(line) for line in lines]) for place in range(groups)], ["a note"]
    )


def floats(text: str) -> list[list[str]]:
    """Tabulars of every float."""
    return [re.findall(r"\\begin{tabular}{(?!@).*?\\bottomrule", one, re.S) for one in text.split("\\begin{table*}")[1:]]


def test_a_narrow_table_is_one_tabular_at_the_larger_size() -> None:
    made = latex.tex(table(2, 2, 3))
    assert [len(one) for one in floats(made)] == [1] and "\\fontsize{8}{9.6}" in made and "part 1" not in made


def test_a_wide_table_is_cut_into_parts_that_repeat_the_methods() -> None:
    made = latex.tex(table(9, 1, 3))
    (parts,) = floats(made)
    assert len(parts) > 1 and all(part.count("mad\\_ad\\_variant") == 3 for part in parts)
    assert sum(part.count("Sensitivity") for part in parts) == 9


def test_a_long_table_goes_on_in_another_float_that_repeats_its_head() -> None:
    made = latex.tex(table(2, 3, 40))
    assert len(floats(made)) == 3 and "(part 3 of 3)" in made
    assert all(part.count("Sensitivity") == 2 for one in floats(made) for part in one)
    assert made.count("mad\\_ad\\_variant") == 120


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(
    "made",
    [table(2, 1, 3), table(14, 3, 14), table(2, 3, 60), table(5, 2, 30, "weights of a model that was trained before, 2026")],
)
def test_it_compiles_and_fits(tmp_path: Path, name: str, made: Table) -> None:
    if not has_latex(f"{name}.cls", *(f"{package}.sty" for package in latex.PACKAGES.split(","))):
        pytest.skip("needs pdflatex, the class and the packages")
    (tmp_path / "t.tex").write_text(latex.tex(made))
    document = (
        f"\\documentclass{CLASSES[name]}\\usepackage{{{latex.PACKAGES}}}\\begin{{document}}x\\input{{t.tex}}\\end{{document}}"
    )
    (tmp_path / "document.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout and "too large" not in done.stdout, done.stdout[-2000:]
    sizes = re.findall(r"\\fontsize{(\d+)}", (tmp_path / "t.tex").read_text())
    assert sizes and min(map(int, sizes)) >= 7 and "resizebox" not in (tmp_path / "t.tex").read_text()
