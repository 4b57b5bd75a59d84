"""Maps made without madad, in files and by a command, stand in the headline table beside those of a method."""

from __future__ import annotations

import csv
import subprocess
import sys

import pytest

from tests.workflow.conftest import Project, choose

pytestmark = pytest.mark.slow

SQUARE = """
import pathlib, sys
import nibabel, numpy
source, target = map(pathlib.Path, sys.argv[1:3])
target.mkdir(exist_ok=True)
for path in source.iterdir():
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(image.get_fdata() ** 2, image.affine), target / path.name)
"""
CONFIG = ("preset=smoke", "test_on=[phantom-implanted]")


def madad(project: Project, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=project.folder, env=project.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_they_stand_in_the_headline_table_beside_the_rest(project: Project) -> None:
    (project.folder / "square.py").write_text(SQUARE)
    choose(project, ["intensity"])
    packs = [f"results/packs/phantom-implanted/FLAIR/{split}.h5" for split in ("validation", "test")]
    done = project.run("--cores", "2", *packs, config=CONFIG)
    assert done.returncode == 0, done.stdout[-4000:]
    madad(project, "-m", "madad", "export-testset", "phantom-implanted", "--modality", "FLAIR", "--out", "handed")
    madad(project, "square.py", "handed/images", "theirs")
    files = {"base": "given_maps", "parameters": {"folder": "theirs"}}
    command = {"base": "program", "parameters": {"command": f"{sys.executable} square.py {{input}} {{output}}"}}
    choose(project, ["intensity", "files", "command"], files=files, command=command)
    done = project.run("--cores", "2", "headline", config=CONFIG)
    assert done.returncode == 0, done.stdout[-4000:]
    with open(project.folder / "results/tables/headline.csv", newline="") as stream:
        rows = {row["Method"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {"intensity", "files (given_maps)", "command (program)", "reference mask"}
    for name in ("files (given_maps)", "command (program)"):
        # the square has the order of the image, and so has the bright tail of the histogram
        assert rows[name]["AUPRC ↑"] == rows["intensity"]["AUPRC ↑"]
    (project.folder / "theirs" / sorted(p.name for p in (project.folder / "theirs").iterdir())[0]).unlink()
    done = project.run("--cores", "2", "headline", config=CONFIG)
    assert done.returncode != 0 and "1 of 6 maps cannot be used" in done.stdout
