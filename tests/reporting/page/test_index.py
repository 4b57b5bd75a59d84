"""The page is one file that loads nothing, opens with the story and keeps within its size."""

from __future__ import annotations

import json
import re
from pathlib import Path

from madad.reporting.layout import table_writer
from madad.reporting.page import index
from tests.reporting.page.test_items import TABLE

SETS = [{"title": "brats, T1w", "methods": [], "cases": [{"name": "</script>"}, {"name": "b"}]}]


def written(root: Path, sets: list[dict]) -> str:
    story, fragment, table = root / "story.json", root / "story.html", root / "results/tables/headline.html"
    story.write_text(json.dumps({"title": "2 methods"}))
    fragment.write_text("<p>nobody leads</p>")
    table.parent.mkdir(parents=True, exist_ok=True)
    table_writer.write_html(TABLE, table)
    files = [root / f"{number}.json" for number, _ in enumerate(sets)]
    for path, one in zip(files, sets, strict=True):
        path.write_text(json.dumps(one))
    index.write_index(story, fragment, [table], files, root / "index.html")
    return (root / "index.html").read_text()


def test_the_page_opens_with_the_story_and_loads_nothing(tmp_path: Path) -> None:
    page = written(tmp_path, SETS)
    assert page.index("nobody leads") < page.index("Headline table") < page.index('class="viewer"')
    assert not re.search(r'(?:src|href)="(?:https?:)?//|@import|\bfetch\(|url\((?!data:)', page)
    inside = re.search(r'<script type="application/json" id="volumes">(.*?)</script>', page, re.S)
    assert inside and json.loads(inside.group(1))["sets"] == SETS, "a name cannot close the script"
    assert len(json.loads(inside.group(1))["colours"]) == index.LEVELS + 1


def test_without_volumes_there_is_no_viewer(tmp_path: Path) -> None:
    page = written(tmp_path, [])
    assert 'class="viewer"' not in page and 'id="volumes"' not in page and "nobody leads" in page


def test_the_last_cases_of_the_largest_set_are_left_out() -> None:
    sets = [{"title": "a", "cases": ["x" * 98] * 3}, {"title": "b", "cases": ["x" * 98]}]
    assert index.fitting(sets, 400) == sets
    assert [len(one["cases"]) for one in index.fitting(sets, 250)] == [1, 1]
    assert index.fitting(sets, 50) == []
