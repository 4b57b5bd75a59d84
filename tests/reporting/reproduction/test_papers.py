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
            "slices": "all",
            "resolution": "2 mm",
            "metrics": {"Dice": {"definition": "mean over volumes", "threshold": "best on the test labels"}},
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

    def row(paper: str, table: int | str, name: str) -> list:
        tables = known[paper]["tables"]
        rows = tables[table]["rows"] if isinstance(table, int) else next(t["rows"] for t in tables if t["name"] == table)
        return next(row["values"] for row in rows if row["name"] == name)

    assert row("cDDPM", 1, "cDDPM, ENS and SSL")[:2] == [[53.37, 1.80], [58.84, 1.76]]
    assert row("pDDPM", 0, "pDDPM, fixed boxes, patch loss")[0] == [49.00, 0.84]
    assert row("mDDPM", 0, "mDDPM, FPM-CM")[-1] == [10.59, 0.57]
    assert row("MCDDPM", 0, "DDPM") == [0.01346, 22.16, 26.77, 31.36, 40.11, 4.39, 7.44]
    assert row("MAD-AD", 0, "MAD-AD") == [51.6, 15.5, 50.1, 64.1]
    assert row("UNA", "Table 3", "UNA") == [0.36, 0.33, 0.34, 0.37, 0.32, 0.31]
    assert row("UNA", "Table 1, FLAIR", "PEPSI") == [0.0301, 0.0287, None, 19.82, 21.59, None, 0.842, 0.85, None]
    assert row("UNA", "Table 2", "Brain-ID")[-3:] == [0.023, 25.49, 0.891] and row("UNA", "Table 2", "UNA")[-3:] == [None] * 3
    assert row("UNA", "Table 4", "UNA, full") == row("UNA", "Table 1, T1w", "UNA")
    assert row("BMAD", 0, "f-AnoGAN") == [77.4, None, None]
    assert row("MedIAnomaly", 0, "DAE") == [0.859, 0.755, 0.711]
    assert row("MHD", 0, "MHD over one reconstruction") == [15.9, 35.4, 48.0, 4.7]


def test_every_method_is_linked_to_its_rows() -> None:
    known = papers.load()
    assert list(papers.orphans(known)) == []
    # floors and controls that no paper prints a number of
    assert papers.unpublished(known) == ["atlas_z", "constant", "edge_distance", "random", "rank_mean", "unet_supervised"]
    linked = {(paper["name"], row["card"]) for paper in known for table in paper["tables"] for row in table["rows"]}
    family = {"vae", "svae", "dae", "f_anogan", "ddpm", "pddpm"}
    assert {(paper, card) for paper in ("cDDPM", "mDDPM", "pDDPM") for card in family} <= linked
    assert {("cDDPM", "ae"), ("Baur et al.", "ae"), ("UAD-IMAG", "andi"), ("UAD-IMAG", "disyre")} <= linked
    baur = next(paper for paper in known if paper["name"] == "Baur et al.")["tables"][0]["rows"]
    assert [row["variant"] for row in baur[:3]] == [
        {"bottleneck": "dense"},
        {"bottleneck": "spatial"},
        {"scoring": "restoration"},
    ]


@pytest.mark.parametrize("name", ["DDPM", "f-AnoGAN", "MAD-AD, two steps", "cDDPM (ENS)"])
def test_a_row_that_has_the_name_of_a_method_is_linked_or_says_why_not(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(papers, "FOLDER", tmp_path)
    orphan = {"name": name, "card": None, "values": [0.3]}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(spoilt("tables", 0, "rows", value=[*PAPER["tables"][0]["rows"], orphan])))
    with pytest.raises(UserError, match=r"Table 1, .*give it `card: .*`, or say under `apart`"):
        papers.load()
    told = [*PAPER["tables"][0]["rows"], {**orphan, "apart": "trained on tumours"}]
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(spoilt("tables", 0, "rows", value=told)))
    assert papers.load()[0]["tables"][0]["rows"][1]["card"] is None


def test_another_name_that_a_linked_row_has_is_known_too() -> None:
    thresh = {"name": "Thresh", "values": [0.1]}
    rows = [{**thresh, "card": "intensity"}, {**thresh, "card": None}]
    assert [line.partition(": ")[0] for line in papers.orphans([spoilt("tables", 0, "rows", value=rows)])] == [
        "A, Table 1, Thresh"
    ]
    assert list(papers.orphans([spoilt("tables", 0, "rows", value=[rows[1]])])) == []


def test_all_tables_of_the_papers_behind_the_main_methods_stand_here() -> None:
    tables = {paper["name"]: [table["name"] for table in paper["tables"]] for paper in papers.load()}
    assert tables["MAD-AD"] == ["Table 1", "Table 2", "Table 3", "Table 4"]
    assert tables["mDDPM"] == ["Table 1"] and tables["cDDPM"] == ["Table 2", "Table 3", "Table 4"]
    assert [name for name in tables["UNA"] if name.startswith("Table 1")] == [
        f"Table 1, {m}" for m in ("T1w", "T2w", "FLAIR", "CT")
    ]
    assert tables["UNA"][4:] == ["Table 2", "Table 3", "Table 4"] and tables["CondDiff"] == []


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
        (spoilt("tables", 0, "metrics", value={}), "should be non-empty"),
        (
            spoilt("tables", 0, "metrics", "AUPRC", value={"definition": "x", "threshold": "none"}),
            "'AUPRC' is the metric of no column",
        ),
        (spoilt("tables", 0, "columns", 0, "metric", value="F1"), "metrics: 'F1' is not explained"),
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


@pytest.mark.parametrize(
    ("paper", "metric", "sees"),
    [("pDDPM", "Dice", "no"), ("pDDPM", "AUPRC", ""), ("MedIAnomaly", None, "yes"), ("UNA", None, "not stated")],
)
def test_number_says_whether_its_threshold_saw_the_test_labels(paper: str, metric: str | None, sees: str) -> None:
    tables = [table for one in papers.load() if one["name"] == paper for table in one["tables"]]
    found = {
        papers.sees_test_labels(known["threshold"])
        for table in tables
        for name, known in table["metrics"].items()
        if metric in (None, name)
    }
    assert sees in found and ("yes" not in found or sees == "yes")
