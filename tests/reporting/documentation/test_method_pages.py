"""The pages of the methods: complete, and those in the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from madad.cli import main as cli
from madad.configuration import cards
from madad.core.errors import UserError
from madad.reporting.documentation import evidence, method_pages
from madad.reporting.reproduction import papers

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return method_pages.pages()


def test_committed_pages_are_the_generated_ones(pages: dict[str, str]) -> None:
    committed = {path.name: path.read_text() for path in (ROOT / "docs/reference/methods").glob("*.md")}
    assert committed == pages, "run: python -m madad stage cards --out docs/reference/methods"


def test_verb_writes_the_pages_and_removes_those_of_no_method(pages: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text(method_pages.WRITTEN)
    assert cli.main(["stage", "cards", "--out", str(tmp_path)]) == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == pages


def test_foreign_pages_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_text("# Mine")
    with pytest.raises(UserError, match=r"mine\.md"):
        method_pages.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.md"]


@pytest.mark.parametrize("name", cards.own_names())
def test_page_tells_what_the_card_says(pages: dict[str, str], name: str) -> None:
    card, told = cards.load(name), pages[f"{name}.md"]
    flat = " ".join(told.split())
    for key, schema in card["parameters"].items():
        assert f"| `{key}` | `" in told and " ".join(schema["description"].split()).replace("|", "\\|") in flat
    assert all(" ".join(line.split()) in flat for line in card["deviations"])
    assert card["title"] in told and f"track `{card['track']}`" in told
    links = set(re.findall(r"https://doi\.org/([^)]*)\)", told))
    assert links == ({card["doi"]} if card["doi"] else set())


def test_only_own_training_options_are_told(pages: dict[str, str]) -> None:
    told = pages["ddpm.md"]
    assert (
        "| `steps` | `19000` |" in told and "`checkpoint_every_s`" not in told and "training option" not in pages["intensity.md"]
    )


def test_default_of_a_sequence_is_told(pages: dict[str, str]) -> None:
    assert "| `tail` | `both`; FLAIR: `bright`; T2w: `bright`; T1w: `dark` |" in pages["intensity.md"]


@pytest.mark.parametrize("name", ["index", *cards.own_names()])
def test_every_table_has_rows_of_equal_length(pages: dict[str, str], name: str) -> None:
    width = None
    for line in pages[f"{name}.md"].splitlines():
        cells = line.replace("\\|", "").count("|") if line.startswith("|") else None
        assert cells is None or width is None or cells == width, line
        width = cells


def test_systems_that_are_not_run_have_no_card(pages: dict[str, str]) -> None:
    told = pages["index.md"].split("# Systems that are not run, and why")[1]
    assert all(entry["name"] in told and entry["reason"] for entry in method_pages.systems())
    assert not {entry["name"].lower() for entry in method_pages.systems()} & set(cards.names())


def test_every_compared_method_without_a_card_is_a_system_that_is_not_run_or_told_apart() -> None:
    named = {name for entry in method_pages.systems() for name in re.split(r", | and ", entry["name"])}
    rows = [row for paper in papers.load() for table in paper["tables"] for row in table["rows"]]
    bare = {row["name"].split(",")[0] for row in rows if row["card"] is None and "apart" not in row}
    assert "Cycl.UNet" in bare and bare <= named, f"a card, `apart`, or a reason in not_run.yaml for {sorted(bare - named)}"


def test_system_of_an_unknown_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [{"name": "A", "paper": "B", "kind": "no_such_kind", "reason": "C"}]
    (tmp_path / "not_run.yaml").write_text(yaml.safe_dump(entries))
    monkeypatch.setattr(method_pages, "NOT_RUN", tmp_path / "not_run.yaml")
    with pytest.raises(UserError, match="no_such_kind"):
        method_pages.systems()


def test_published_numbers_are_those_of_the_papers(pages: dict[str, str]) -> None:
    rows = [row for paper in papers.load() for table in paper["tables"] for row in table["rows"] if row["card"] == "mddpm"]
    count = sum(value is not None for row in rows for value in row["values"])
    told = pages["mddpm.md"].split("## Published numbers")[1]
    assert told.count("\n| ") - 1 == count > 12 and "58.12 ± 1.56" in told
    assert "## Published numbers" not in pages["random.md"]


def test_fidelity_links_lead_to_headings(pages: dict[str, str]) -> None:
    headings = {line[3:] for line in (ROOT / "docs/reference/fidelity.md").read_text().splitlines() if line.startswith("## ")}
    assert set(evidence.SYSTEMS.values()) <= headings
    assert "(../fidelity.md#mad-ad)" in pages["mad_ad.md"] and "No output of released code" in pages["ae.md"]
