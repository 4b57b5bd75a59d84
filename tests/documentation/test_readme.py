"""Every command that README.md shows runs: those of madad here, those of make in continuous integration."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from madad.cli import main as cli
from madad.configuration import settings
from madad.configuration.files import read_configuration
from madad.core.io.manifest import read_table
from tests.detection import scans
from tests.documentation.test_named_commands import BLOCK, INLINE
from tests.workflow.studies import make_bids

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = re.compile(r"(make|madad|snakemake|python3?|pip|\./\S+) ")


def commands(text: str) -> set[str]:
    """Return the lines of all blocks of code, and the code between backticks that begins with the name of a program."""
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    shown = [*lines, *filter(PROGRAM.match, INLINE.findall(BLOCK.sub("", text)))]
    return {command for line in shown if (command := line.partition("#")[0].strip())}


def begins_a_study(folder: Path, command: str) -> None:
    root = make_bids(folder / "study", 6)
    assert cli.main(shlex.split(command.replace("/data/study", str(root)))[1:]) == 0
    assert settings.resolve(read_configuration(folder / "my.yaml"))["cohorts"]["study"]["root"] == str(root)


def begins_a_method(folder: Path, command: str) -> None:
    assert cli.main(shlex.split(command)[1:]) == 0
    assert {path.suffix for path in folder.rglob("my_method.*")} == {".py", ".yaml"}


def predicts(folder: Path, command: str) -> None:
    scans.write(folder / "scan.nii.gz")
    assert cli.main(shlex.split(command)[1:]) == 0
    assert [(row["scan"], row["status"]) for row in read_table(folder / "maps/predictions.tsv")] == [("sub-scan", "ok")]
    assert list((folder / "maps/sub-scan/anat").glob("*_anomalymap.nii.gz"))


# What runs each command of madad, in an empty folder.
RUN: dict[str, Callable[[Path, str], None]] = {
    "madad init /data/study": begins_a_study,
    "madad methods new my_method": begins_a_method,
    "madad predict scan.nii.gz --model atlas_z --out maps": predicts,
}
# The target of continuous integration that runs each command of make.
MADE = {"make run": "smoke", "make test": "test", "make docs": "docs"}


def test_every_command_is_run() -> None:
    assert commands((ROOT / "README.md").read_text()) == RUN.keys() | MADE.keys()


def test_commands_are_found_in_blocks_and_between_backticks() -> None:
    text = "`dae` and `madad doctor` of madad\n```\nmake run     # installs\n\n./own.sh\n```\n"
    assert commands(text) == {"madad doctor", "make run", "./own.sh"}


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN)
def test_a_command_does_what_it_is_shown_for(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    RUN[command](tmp_path, command)


@pytest.mark.parametrize(("command", "target"), MADE.items())
def test_continuous_integration_makes_a_target(command: str, target: str) -> None:
    job = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["make"]
    assert target in job["strategy"]["matrix"]["target"]
    assert any(step.get("run", "").startswith("make ${{ matrix.target }}") for step in job["steps"])
    if target != command.split()[1]:
        assert told("smoke") == told("run", "CONFIG=preset=smoke"), "the same commands with the smallest sizes"


def told(*arguments: str) -> list[str]:
    """Return the commands of a target, without those that install."""
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if re.search(r"/madad |\bsnakemake ", line)]
