"""The page of all methods: complete, and the one in the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from madad.cli import main as cli
from madad.configuration import cards
from madad.core.errors import UserError
from madad.reporting.documentation import method_pages

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def page() -> str:
    return method_pages.page()


def section(page: str, name: str) -> str:
    return page.split(f"\n## {name}\n")[1].split("\n## ")[0].split("\n# ")[0]


def test_committed_page_is_the_generated_one(page: str) -> None:
    assert (ROOT / "docs" / "methods.md").read_text() == page, "run: python -m madad stage cards --out docs/methods.md"


def test_verb_writes_the_page(page: str, tmp_path: Path) -> None:
    assert cli.main(["stage", "cards", "--out", str(tmp_path / "methods.md")]) == 0
    assert (tmp_path / "methods.md").read_text() == page


@pytest.mark.parametrize("name", cards.own_names())
def test_section_tells_what_the_card_says(page: str, name: str) -> None:
    card, told = cards.load(name), section(page, name)
    flat = " ".join(told.split())
    for key, schema in card["parameters"].items():
        assert f"| `{key}` | `" in told and " ".join(schema["description"].split()).replace("|", "\\|") in flat
    assert all(" ".join(line.split()) in flat for line in card["deviations"])
    assert card["title"] in told and f"track `{card['track']}`" in told
    links = set(re.findall(r"https://doi\.org/([^)]*)\)", told))
    assert links == ({card["doi"]} if card["doi"] else set())


def test_only_own_training_options_are_told(page: str) -> None:
    told = section(page, "ddpm")
    assert (
        "| `steps` | `19000` |" in told
        and "`checkpoint_every_s`" not in told
        and "training option" not in section(page, "intensity")
    )


def test_default_of_a_sequence_is_told(page: str) -> None:
    assert "| `tail` | `both`; FLAIR: `bright`; T2w: `bright`; T1w: `dark` |" in section(page, "intensity")


def test_every_table_has_rows_of_equal_length(page: str) -> None:
    width = None
    for line in page.splitlines():
        cells = line.replace("\\|", "").count("|") if line.startswith("|") else None
        assert cells is None or width is None or cells == width, line
        width = cells


def test_systems_that_are_not_run_have_no_card(page: str) -> None:
    told = page.split("# Systems that are not run, and why")[1]
    assert all(entry["name"] in told and entry["reason"] for entry in method_pages.systems())
    assert not {entry["name"].lower() for entry in method_pages.systems()} & set(cards.names())


def test_system_of_an_unknown_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [{"name": "A", "paper": "B", "kind": "no_such_kind", "reason": "C"}]
    (tmp_path / "not_run.yaml").write_text(yaml.safe_dump(entries))
    monkeypatch.setattr(method_pages, "NOT_RUN", tmp_path / "not_run.yaml")
    with pytest.raises(UserError, match="no_such_kind"):
        method_pages.systems()
