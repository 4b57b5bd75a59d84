"""The workflow in another Snakefile, with and without a prefix and new names of rules, and with its files in a storage."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from madad.core.io.manifest import read_table
from tests.workflow.conftest import Project
from tests.workflow.studies import make_bids

pytestmark = pytest.mark.slow

MANIFEST = "results/cohorts/study/manifest.tsv"
EXCLUDED = "results/cohorts/study/excluded.tsv"
# The clone tells where it was loaded from: an installed madad must not stand in for it.
TELL = """
import os, sys
if "manifest" in sys.argv:
    open(os.environ["MARK"], "w").write(__file__)
"""
OUTER = """
module madad:
    snakefile: {snakefile!r}
    config: {config}
    {prefix}

use rule * from madad {names}

rule outer:
    output: "outer.txt"
    shell: "printf '%s' \\"$PYTHONPATH\\" > {{output}}"
"""


def config(root: Path) -> dict:
    """A study of healthy people and patients; everything else as in config.yaml, which a module must find by itself."""
    study = {"kind": "bids", "root": str(root)}
    return {"preset": "smoke", "cohorts": {"study": study}, "train_on": ["study"], "test_on": ["study"], "methods": ["intensity"]}


def run(project: Project, folder: Path, *arguments: str, **variables: str) -> str:
    """Run Snakemake in a folder and return what it said."""
    done = subprocess.run(
        project.command("--cores", "1", "--directory", str(folder), *arguments),
        cwd=folder,
        env={**project.environment(), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.mark.parametrize(("prefix", "names"), [("", ""), ("first/", "as its_*")])
def test_a_module_runs_the_code_and_stands_on_the_configuration_of_its_clone(
    project: Project, tmp_path: Path, prefix: str, names: str
) -> None:
    root, mark, outside = make_bids(tmp_path / "bids", 10), tmp_path / "mark", tmp_path / "outside"
    main = project.folder / "madad/__main__.py"
    main.write_text(TELL + main.read_text())
    outside.mkdir()
    line = f"prefix: {prefix!r}" if prefix else ""
    text = OUTER.format(snakefile=str(project.folder / "Snakefile"), config=json.dumps(config(root)), prefix=line, names=names)
    (outside / "Snakefile").write_text(text)
    run(project, outside, prefix + MANIFEST, "outer.txt", MARK=str(mark))
    assert read_table(outside / prefix / MANIFEST)[0]["path"].startswith(str(root))
    assert mark.read_text() == str(main)
    assert (outside / "outer.txt").read_text() == "", "rules of the outer Snakefile keep their surroundings"
    assert not prefix or not (outside / "results/cohorts").exists()
    assert "results/tables/headline.csv" in run(project, outside, "-n", f"{names[3:-1]}all" if names else "all")


def test_files_lie_in_the_storage(project: Project, tmp_path: Path) -> None:
    root, store = make_bids(tmp_path / "bids", 10), tmp_path / "store"
    (project.folder / "study.json").write_text(json.dumps(config(root)))
    run(
        project,
        project.folder,
        MANIFEST,
        "--configfile",
        "study.json",
        *("--default-storage-provider", "copyfolder", "--default-storage-prefix", str(store)),
        *("--shared-fs-usage", "persistence", "sources", "source-cache", "software-deployment", "storage-local-copies"),
        PYTHONPATH=str(Path(__file__).parent / "plugins"),
    )
    assert read_table(store / MANIFEST) and (store / EXCLUDED).is_file()
    assert not (project.folder / MANIFEST).exists()
