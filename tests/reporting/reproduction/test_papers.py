from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import get_args

import pytest
import yaml

from madad.configuration import cards
from madad.configuration.data_options import Dataset
from madad.core.errors import UserError
from madad.evaluation.results.measures import by_key
from madad.reporting.reproduction import papers

PAPER = {
    "name": "A",
    "title": "A paper",
    "authors": None,
    "year": 2024,
    "venue": "somewhere",
    "identifier": "arXiv 0000.00000",
    "doi": None,
    "coverage": "everything",
    "training": {"dataset": "IXI", "subjects": 10, "runs": None, "spacing_mm": None},
    "reasons": [],
    "tables": [
        {
            "name": "Table 1",
            "title": "numbers",
            "protocol": "as usual",
            "source": "Table 1",
            "certainty": "text",
            "spread": None,
            "columns": [
                {"dataset": "IXI", "modality": "T2w", "metric": "Dice", "unit": "share", "measure": "dice_oracle", "subjects": 3}
            ],
            "rows": [{"name": "DDPM", "card": "ddpm", "values": [[0.4, 0.1]]}],
        }
    ],
}


def spoilt(*place: str | int, value: object) -> dict:
    """The paper with one value changed."""
    paper = copy.deepcopy(PAPER)
    inner = paper
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return paper


@pytest.mark.parametrize("path", papers.files(), ids=lambda path: path.stem)
def test_every_file_is_valid(path: Path) -> None:
    assert list(papers.problems(yaml.safe_load(path.read_text(encoding="utf-8")))) == []


def test_papers_are_complete_and_in_order() -> None:
    known = papers.load()
    assert len(known) == len(papers.files()) >= 14
    assert [paper["year"] for paper in known] == sorted(paper["year"] for paper in known)
    for paper in known:
        for table in paper["tables"]:
            named = {row["card"] for row in table["rows"]} - {None}
            assert named <= set(cards.names())
            assert all(
                column[key] is None or column[key] in by_key() for column in table["columns"] for key in ("measure", "nearest")
            )


def test_numbers_stand_as_they_were_published() -> None:
    """A sample across the files, so that a slip of the hand in one of them shows."""
    known = {paper["name"]: paper for paper in papers.load()}

    def row(paper: str, table: int, name: str) -> list:
        return next(row["values"] for row in known[paper]["tables"][table]["rows"] if row["name"] == name)

    assert row("cDDPM", 1, "cDDPM, ENS and SSL")[:2] == [[53.37, 1.80], [58.84, 1.76]]
    assert row("pDDPM", 0, "pDDPM, fixed boxes, patch loss")[0] == [49.00, 0.84]
    assert row("mDDPM", 0, "mDDPM, FPM-CM")[-1] == [10.59, 0.57]
    assert row("MCDDPM", 0, "DDPM") == [0.01346, 22.16, 26.77, 31.36, 40.11, 4.39, 7.44]
    assert row("MAD-AD", 0, "MAD-AD") == [51.6, 15.5, 50.1, 64.1]
    assert row("UNA", 0, "UNA") == [0.36, 0.33, 0.34, 0.37, 0.32, 0.31]
    assert row("MHD", 0, "MHD over one reconstruction") == [15.9, 35.4, 48.0, 4.7]


def test_cohorts_can_be_every_published_data_set() -> None:
    known = get_args(Dataset)
    assert set(known) - {None} == papers.datasets()
    assert list(known[:-1]) == sorted(known[:-1], key=str.lower)


def test_value_and_spread() -> None:
    assert papers.split([0.4, 0.1]) == (0.4, 0.1)
    number, spread = papers.split(3)
    assert number == 3.0 and math.isnan(spread)
    assert all(math.isnan(part) for part in papers.split(None))


@pytest.mark.parametrize(
    ("paper", "problem"),
    [
        (spoilt("tables", 0, "rows", 0, "values", value=[40.7]), "40.7 is not between 0 and 1, as share must be"),
        (spoilt("tables", 0, "rows", 0, "values", value=[0.4, 0.5]), "2 values for 1 columns"),
        (spoilt("tables", 0, "rows", 0, "card", value="ddmp"), "no method is called 'ddmp', did you mean 'ddpm'?"),
        (spoilt("tables", 0, "columns", 0, "measure", value="dice_orakel"), "no measure is called 'dice_orakel'"),
        (spoilt("tables", 0, "rows", 0, "variant", value={"noise": 1}), "no hyper-parameter is called 'noise'"),
        (spoilt("tables", 0, "rows", 0, "parts", value=["model"]), "no role is called 'model'"),
        (spoilt("without_numbers", value=["nothing"]), "no method is called 'nothing'"),
        (spoilt("tables", 0, "certainty", value="sure"), "'sure' is not one of"),
        (spoilt("tables", 0, "colums", value=[]), "unknown key 'colums', did you mean 'columns'?"),
        ({key: value for key, value in PAPER.items() if key != "coverage"}, "'coverage' is a required property"),
    ],
)
def test_mistakes_are_named(paper: dict, problem: str, tmp_path, monkeypatch) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(paper))
    monkeypatch.setattr(papers, "FOLDER", tmp_path)
    with pytest.raises(UserError) as refused:
        papers.load()
    assert problem in str(refused.value) and "a.yaml" in str(refused.value)


def test_digest_follows_the_numbers(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(papers, "FOLDER", tmp_path)
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(PAPER))
    before = papers.digest()
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(spoilt("tables", 0, "rows", 0, "values", value=[0.5])))
    assert papers.digest() != before
