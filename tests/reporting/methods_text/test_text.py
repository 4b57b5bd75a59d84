"""The text of methods says what ran, and cites what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from madad.configuration import cards
from madad.reporting.layout import table_writer
from madad.reporting.layout.table_writer import Cell, Column, Table
from madad.reporting.methods_text.bibliography import Citations, of_card
from madad.reporting.methods_text.text import INTENSITIES, SKULL_STRIPPING, post_processing, write_methods

CHAIN = {
    **{"skull_strip": "bet", "bias_field": "n4", "denoise": "none", "registration": "affine", "template": "icbm152"},
    **{"spacing_mm": 3.0, "intensity": {"method": "percentile", "lower": 1.0, "upper": 99.0}},
}
TRACKS = {"atlas_z": "healthy", "mine": "healthy", "handed": "healthy"}


def entry(base: str, steps: int = 0) -> dict:
    training = {"steps": steps} if steps else {}
    return {"base": base, "options": {"T1w": {"training": training}}, "initial_weights": "bundled" if steps else None}


def written(root: Path, result: str = "passed", **chain: object) -> tuple[str, str]:
    config = {
        "train_on": ["own"],
        "test_on": ["own-implanted"],
        "cohorts": {"own": {"pipeline": "standard", "skull_strip": None}},
        "pipelines": {"standard": {**CHAIN, **chain}},
        "methods": {"atlas_z": entry("atlas_z"), "mine": entry("ddpm", 60), "handed": entry("elsewhere")},
        "parts": {},
        "evaluation": {"erosion": 3, "median": 0, "min_component": 7},
    }
    versions = {"madad": "1.2", "commit": "abc", "uncommitted changes": "yes"}
    (root / "provenance.json").write_text(json.dumps({"configuration": config, "environment": versions}))
    names = ("Methods", "Trained on", "Tested on", "Sequences", "Training runs (seeds)")
    (root / "story.json").write_text(json.dumps({"compared": [[name, f"<{name}>"] for name in names]}))
    columns = [Column("Check"), Column("Result")]
    table_writer.write_csv(Table("t", columns, [("", [[Cell("a"), Cell(result)]])]), root / "leakage.csv")
    inputs = (root / f"{name}" for name in ("provenance.json", "story.json", "leakage.csv"))
    write_methods(*inputs, TRACKS, root / "methods.md", root / "methods.bib")
    return (root / "methods.md").read_text(), (root / "methods.bib").read_text()


def test_it_says_what_ran(tmp_path: Path) -> None:
    text, _ = written(tmp_path)
    assert "learnt from <Trained on>" in text and "on both sides of a split" in text
    assert "BET surface" in text and "the percentiles 1 and 99" in text and "affine registration to the ICBM152 template" in text
    assert "`mine` (a variant of `ddpm`) [@method_ddpm], track healthy, 60 training steps, starting from bundled weights." in text
    assert "after erosion of the brain mask by 3 voxels, removal of components below 7 voxels" in text
    assert "(commit abc, with uncommitted changes)" in text and "PyTorch unknown" in text


def test_a_leak_is_not_denied(tmp_path: Path) -> None:
    assert "on both sides" not in written(tmp_path, "AFFECTED")[0]


def test_every_citation_has_its_reference_and_the_reverse(tmp_path: Path) -> None:
    text, references = written(tmp_path)
    assert set(re.findall(r"\[@(\w+)\]", text)) == set(re.findall(r"^@\w+{(\w+),", references, re.M))
    assert "Patched" not in references and "{AnoDDPM: " in references
    assert references.count("{") == references.count("}")


@pytest.mark.parametrize("name", cards.own_names())
def test_every_card_gives_a_reference(name: str) -> None:
    made = of_card(name)
    assert made.startswith(f"@misc{{method_{name}, author = {{") and made.count("{") == made.count("}")
    assert ";" not in made.split("year = ")[0], "authors of one paper alone"


def test_all_words_of_preprocessing_cite_what_is_known() -> None:
    cite = Citations()
    assert all(cite(key) == f"[@{key}]" for _, key in SKULL_STRIPPING.values() if key)
    assert all(words.format(lower=1.0, upper=99.0) for words in INTENSITIES.values())
    assert post_processing({"erosion": 0, "median": 0, "min_component": 0}) == "without post-processing"
