"""The page is one file that loads nothing, opens with the story and keeps within its size."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

from PIL import Image

from madad.reporting.layout import table_writer
from madad.reporting.page import index
from tests.reporting.page.test_items import TABLE

STORY = {
    "title": "2 methods",
    "headline": "nobody leads",
    "tone": "plain",
    "compared": [],
    "answers": [],
    "trust": ["with care", "doubtful"],
    "doubts": [
        {"topic": "Headline", "text": "look here", "tone": "plain", "page": "tables/headline.html"},
        {"topic": "Elsewhere", "text": "not here", "tone": "plain", "page": "tables/absent.html"},
    ],
}
SETS = [{"title": "brats, T1w", "methods": [], "cases": [{"name": "</script>"}, {"name": "b"}]}]


def written(root: Path, sets: list[dict]) -> str:
    story, table = root / "story.json", root / "results/tables/headline.html"
    story.write_text(json.dumps(STORY))
    table.parent.mkdir(parents=True, exist_ok=True)
    table_writer.write_html(TABLE, table)
    files = [root / f"{number}.json" for number, _ in enumerate(sets)]
    for path, one in zip(files, sets, strict=True):
        path.write_text(json.dumps(one))
    story.with_suffix(".md").write_text("# Methods")
    index.write_index(story, story.with_suffix(".md"), [table], files, root / "index.html")
    return (root / "index.html").read_text()


def test_the_page_opens_with_the_story_and_loads_nothing(tmp_path: Path) -> None:
    page = written(tmp_path, SETS)
    assert page.index("nobody leads") < page.index("Headline table") < page.index('class="viewer"')
    assert not re.search(r'(?:src|href)="(?:https?:)?//|@import|\bfetch\(|url\((?!data:)', page)
    inside = re.search(r'<script type="application/json" id="volumes">(.*?)</script>', page, re.S)
    assert inside and json.loads(inside.group(1))["sets"] == SETS, "a name cannot close the script"
    assert len(json.loads(inside.group(1))["colours"]) == index.LEVELS + 1


def test_the_story_leads_to_what_the_page_shows(tmp_path: Path) -> None:
    page = written(tmp_path, [])
    assert '<a href="#headline">look here</a>' in page and 'id="headline"' in page
    assert "not here</li>" in page


def test_metrics_are_defined_where_they_are_named(tmp_path: Path) -> None:
    page = written(tmp_path, [])
    assert '<a href="#metric-dice">Dice</a>' in page and 'id="metric-dice"' in page and "2 TP / (2 TP + FP + FN)" in page
    places = set(re.findall(r'id="([^"]+)"', page))
    assert {link for link in re.findall(r'href="#([^"]+)"', page)} <= places


def test_a_figure_leads_to_its_cases_in_the_viewer() -> None:
    one = SimpleNamespace(block=("ixi", "T1w", "brats"), picture="data:")
    cases = [{"name": "sub 1", "reason": "best of 3"}]
    sets = [{"title": "a, T1w", "cases": []}, {"title": index.block_title(*one.block), "cases": cases}]
    assert index.looks(one, sets) == [("sub 1 (best of 3)", "#look/1/sub%201")]
    assert index.looks(SimpleNamespace(block=None, picture="data:"), sets) == []


def test_without_volumes_there_is_no_viewer(tmp_path: Path) -> None:
    page = written(tmp_path, [])
    assert 'class="viewer"' not in page and 'id="volumes"' not in page and "nobody leads" in page


def test_the_last_cases_of_the_largest_set_are_left_out() -> None:
    sets = [{"title": "a", "cases": ["x" * 98] * 3}, {"title": "b", "cases": ["x" * 98]}]
    assert index.fitting(sets, 400) == sets
    assert [len(one["cases"]) for one in index.fitting(sets, 250)] == [1, 1]
    assert index.fitting(sets, 50) == []


def test_the_test_set_that_the_story_begins_with_is_shown_first(tmp_path: Path) -> None:
    blocks = [("phantom", "FLAIR", "phantom"), ("soop", "FLAIR", "soop")]
    pictures = [tmp_path / f"results/figures/side_by_side_{'_'.join(block)}.png" for block in blocks]
    pictures[0].parent.mkdir(parents=True)
    for path in pictures:
        Image.new("L", (4, 2)).save(path)
    sets = [{"title": f"{name}, FLAIR", "methods": [], "cases": []} for name in ("phantom", "soop")]
    (tmp_path / "story.md").write_text("# Methods")
    for own in (["soop, FLAIR", "phantom, FLAIR"], ["phantom, FLAIR"], []):
        answers = [{"question": "Who leads?", "place": place, "short": "", "text": "", "tone": "plain"} for place in own]
        (tmp_path / "story.json").write_text(json.dumps({**STORY, "answers": answers}))
        files = [tmp_path / f"{number}.json" for number, _ in enumerate(sets)]
        for path, one in zip(files, sets, strict=True):
            path.write_text(json.dumps({**one, "cases": [{"name": "sub-01", "reason": "best"}]}))
        index.write_index(tmp_path / "story.json", tmp_path / "story.md", pictures, files, tmp_path / "index.html")
        page = (tmp_path / "index.html").read_text()
        expected = (own or ["phantom, FLAIR"])[0].split(",")[0]
        assert re.search(r'id="side_by_side_(\w+?)_', page[page.index("Main result") :]).group(1) == expected
        kept = json.loads(re.search(r'id="volumes">(.*?)</script>', page, re.S).group(1))["sets"]
        assert kept[0]["title"] == f"{expected}, FLAIR" and len(kept) == len(sets)
