"""What the page shows follows the list of deliverables, each with its caption and its files."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from madad.reporting.layout import table_writer
from madad.reporting.layout.table_writer import Cell, Column, Table
from madad.reporting.page.items import LARGEST_TABLE, as_html, items

TABLE = Table("Headline", [Column("Method", number=False), Column("Dice", "what it is")], [("", [[Cell("a<b"), Cell("0.5")]])])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A figure and a table of the report, as the pipeline leaves them."""
    root = tmp_path / "results"
    for folder in ("tables", "figures", "report"):
        (root / folder).mkdir(parents=True)
    table_writer.write_html(TABLE, root / "tables/headline.html")
    for suffix in ("csv", "tex"):
        (root / f"tables/headline.{suffix}").write_text("")
    plt.imsave(root / "figures/side_by_side_ixi_T1w_brats.png", [[0.0, 1.0]])
    return root


def shown(root: Path) -> list[Path]:
    return [
        root / "figures/side_by_side_ixi_T1w_brats.png",
        root / "tables/headline.html",
        root / "tables/headline.csv",
        root / "elsewhere/unknown.png",
    ]


def test_items_follow_the_sections_and_carry_captions_and_links(results: Path) -> None:
    table, figure = items(shown(results), results / "report")
    assert (table.name, table.section, figure.section) == ("headline", "Headline", "Anomaly maps")
    assert "a&lt;b" in table.table and "<html" not in table.table and "<script" not in table.table
    assert dict(table.links) == {
        "page": "../tables/headline.html",
        "CSV": "../tables/headline.csv",
        "LaTeX": "../tables/headline.tex",
    }
    assert figure.picture.startswith("data:image/png;base64,") and figure.links == ()
    assert figure.title == "Every method, side by side (brats, T1w, ixi)" and figure.block == ("ixi", "T1w", "brats")
    assert ("Dice", "#metric-dice") in table.definitions and ("AUPRC", "#metric-auprc") in figure.definitions
    assert "brats" in figure.alt and figure.caption.startswith("<p>")


def test_a_long_table_is_folded(results: Path) -> None:
    page = results / "tables/headline.html"
    page.write_text(f"<body><!-- table -->{'x' * (LARGEST_TABLE + 1)}<!-- end of table --></body>")
    assert items([page], results / "report")[0].folded
    page.write_text("<body>a page of another kind</body>")
    assert items([page], results / "report")[0].table == ""


def test_captions_become_html() -> None:
    assert as_html("One *two* **three**\nfour ``a < b``.\n\nFive.") == (
        "<p>One <em>two</em> <strong>three</strong>\nfour <code>a &lt; b</code>.</p><p>Five.</p>"
    )
