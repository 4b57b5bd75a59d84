"""docs/reference/bids.md shows what is read of common layouts, as it is today."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.cohorts.documented_layouts import LAYOUTS, Layout, section, write

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/bids.md"


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_the_page_shows_what_the_summary_prints(layout: Layout, tmp_path: Path) -> None:
    root = tmp_path / layout.name
    write(layout, root)
    assert section(layout, root) in PAGE.read_text(), "print the part again: python -m tests.data.cohorts.documented_layouts"
