"""The reference mask as a map: what it scores, and where tables show it."""

from __future__ import annotations

import csv
from pathlib import Path

from madad.evaluation.protocol.ceilings import REFERENCE, under, write_ceilings
from madad.evaluation.results.long_table import read
from madad.evaluation.statistics.ceiling_summary import collect_ceilings, summarise_ceilings
from madad.evaluation.statistics.summary import summarise
from madad.reporting.tables.results import write_thresholds
from tests.evaluation.cases import FULL, IDENTITY, PLAIN, Case

NAMES = {key: IDENTITY[key] for key in ("cohort", "modality", "testset")}


def test_ceiling_is_one_but_for_the_chain_that_wears_lesions_away(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    write_ceilings(case.packs, PLAIN, NAMES, tmp_path / "c.tsv")
    rows = read(tmp_path / "c.tsv")
    found = {(row["method"], row["sample"], row["protocol"], row["metric"]): float(row["value"]) for row in rows}
    for sample in ("sub-2", "sub-3"):
        assert found[REFERENCE, sample, "per_subject", "auprc"] == found[REFERENCE, sample, "validation", "dice"] == 1
        assert found[under("mhd"), sample, "published", "dice"] == 1
        assert found[under("behrendt"), sample, "published", "auprc"] < 0.5
    assert not [row for row in rows if row["metric"] == "seconds"]


def test_tables_end_with_the_reference_mask(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    case.rows(PLAIN)
    write_ceilings(case.packs, PLAIN, NAMES, tmp_path / "c.tsv")
    collect_ceilings([case.out], tmp_path / "m.csv")
    summarise(tmp_path / "m.csv", tmp_path / "s.csv")
    collect_ceilings([tmp_path / "c.tsv"], tmp_path / "cm.csv")
    summarise_ceilings(tmp_path / "cm.csv", tmp_path / "cs.csv")
    made = {kind: tmp_path / f"t.{kind}" for kind in ("csv", "tex", "html")}
    write_thresholds(tmp_path / "s.csv", {"ddpm": "ddpm"}, **made, ceilings=tmp_path / "cs.csv")
    rows = list(csv.DictReader(made["csv"].open()))
    assert [row["Method"] for row in rows] == ["ddpm", REFERENCE]
    assert all(cell.startswith("1.00") for cell in list(rows[-1].values())[2:])
    assert "the most that any method can score" in made["html"].read_text()
