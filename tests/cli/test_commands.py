"""The commands for people: found first, explained, and a misspelt word answered with the one that was meant."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from madad.cli import main as cli
from madad.cli import running
from madad.cli.job_table import shortened
from madad.configuration import settings
from madad.configuration.files import read_configuration
from madad.core.io.manifest import read_table
from madad.core.workflow_files import FOLDER
from tests.workflow.studies import make_bids

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = "init run report cohort cohorts methods predict score export-testset model doctor completion"
DRY_RUN = """Building DAG of jobs...
Job stats:
job        count
-------  -------
train          3
headline       1
froc           1
all            1
total          6

Job stats:
job        count
-------  -------
train          3
total          6

Reasons:
    (check individual jobs above for details)
    output files have to be generated:
        all, froc
This was a dry-run (flag -n). The order of jobs does not reflect the order of execution.
"""


def parsers(parser: argparse.ArgumentParser, name: str = "madad") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from parsers(inner, f"{name} {word}")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_commands_for_people_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    shown = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:4] == "    " and line[4] != " "]
    assert shown == [*PEOPLE.split(), "stage"]


@pytest.mark.parametrize(("name", "parser"), parsers(cli.parser()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_and_option_is_explained(name: str, parser: argparse.ArgumentParser) -> None:
    assert parser.description
    assert [action.dest for action in parser._actions if not action.help and not action.choices] == []


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("predcit scan.nii", "there is no 'predcit', did you mean 'predict'?"),
        ("predict scan.nii --modle a.zip --out b", "there is no option --modle, did you mean '--model'?"),
        ("predict scan.nii --mod a.zip --out b", "there is no option --mod"),
        ("model inof", "there is no 'inof', did you mean 'info'?"),
        ("stage trian", "there is no 'trian', did you mean 'train'?"),
        ("train --seed 0", "'train' is a step of the workflow: madad stage train"),
        ("--versoin", "there is no option --versoin, did you mean '--version'?"),
        ("completion powershell", "there is no 'powershell'; choose from bash, zsh, tcsh"),
    ],
)
def test_a_misspelt_word_is_answered(words: str, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer in said(capsys, *words.split())


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == "madad 0.1.0\n" and 'version = "0.1.0"' in (ROOT / "pyproject.toml").read_text()


def test_bash_completes_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", "bash"]) == 0
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)
    ask = f"source {script}; COMP_WORDS=(madad pre); COMP_CWORD=1; _shtab_madad; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["predict"]


def test_run_hands_on_all_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    done = subprocess.CompletedProcess([], 3, "")
    monkeypatch.setattr(running.subprocess, "run", lambda command, **_: called.append(command) or done)
    assert cli.main(["run", "nifti", "--cores", "2", "--config", "preset=smoke", "--log-handler-script", "x"]) == 3
    own = [sys.executable, "-m", "snakemake", *running.QUIET, "--snakefile", str(FOLDER / "Snakefile")]
    assert called == [
        [*own, "nifti", "--cores", "2", "--config", "preset=smoke", "--log-handler-script", "x", "--logger", "madad"]
    ]


@pytest.mark.parametrize(("given", "file"), [("report.zip --configfile my.yaml", "report.zip"), ("", "report.html")])
def test_a_report_is_written_into_the_file_that_is_named(
    given: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").touch()
    called: list[list[str]] = []
    done = subprocess.CompletedProcess([], 0, "")
    monkeypatch.setattr(running.subprocess, "run", lambda command, **_: called.append(command) or done)
    assert cli.main(["report", *given.split()]) == 0
    words = called[0]
    assert words[words.index("--report") + 1] == file and words.count(file) == 1
    assert ("my.yaml" in words) == ("my.yaml" in given)


@pytest.mark.parametrize(
    ("given", "absent"),
    [("-c2", "--cores"), ("-j 4", "--cores"), ("--executor=slurm", "--cores"), ("-s other", "--snakefile"), ("-p", "--quiet")],
)
def test_what_the_user_says_replaces_ours(given: str, absent: str) -> None:
    ours = running.snakemake(given.split())
    assert absent not in ours and len({"--cores", "--snakefile", "--quiet"} & set(ours)) == 2


@pytest.mark.parametrize(
    "words", ["--configfile my.yaml results/a.h5", "--configfile=results/a.h5", "-n --configfiles results/a.h5"]
)
def test_what_is_taken_for_a_configuration_file_and_is_none_is_named(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").touch()
    assert cli.main(["run", *words.split()]) == 1
    said = capsys.readouterr().err
    assert "there is no file results/a.h5" in said and "stands before it" in said and "Traceback" not in said
    assert running.snakemake(["results/a.h5", "--configfile", "my.yaml", "--cores", "2"])[-5:-2] == [
        "results/a.h5",
        "--configfile",
        "my.yaml",
    ]


def test_jobs_of_a_dry_run_are_one_short_table() -> None:
    assert shortened(DRY_RUN).splitlines() == [
        "Building DAG of jobs...",
        "",
        "    jobs  of the rule",
        "       3  train",
        "       2  tables, figures, pages",
        "       5  total",
    ]
    assert shortened("Nothing to be done.\n") == "Nothing to be done."


@pytest.mark.slow
def test_a_dry_run_tells_jobs_and_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "madad", "run", "-n", "--config", "preset=smoke", "methods=[intensity]"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "disk: results/ will take about" in done.stderr + done.stdout
    assert "tables, figures, pages" in done.stdout and len(done.stdout.splitlines()) < 40


def test_a_configuration_is_begun_from_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "my.yaml"
    root = make_bids(tmp_path / "My study", 6)
    assert cli.main(["init", str(root), "--out", str(out)]) == 0
    assert "cohort my_study: 6 subjects" in capsys.readouterr().out
    written = yaml.safe_load(out.read_text())
    assert written["train_on"] == ["my_study"] and "my_study-implanted" in written["test_on"]
    assert settings.resolve(read_configuration(out))["cohorts"]["my_study"]["root"] == str(root)
    assert cli.main(["init", str(root), "--out", str(out)]) == 1
    assert "--force" in capsys.readouterr().err


def test_a_folder_without_images_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["init", str(tmp_path), "--out", str(tmp_path / "my.yaml")]) == 1
    assert f"error: {tmp_path}: holds no images that madad can read" in capsys.readouterr().err
    assert cli.main(["init", str(tmp_path), "--kind", "bisd"]) == 1
    assert "did you mean 'bids'" in capsys.readouterr().err


def test_kinds_of_cohorts_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cohorts"]) == 0
    assert "mslub     MSLUB (Ljubljana 2017). Licence: CC BY" in capsys.readouterr().out
    assert cli.main(["cohorts", "mslub"]) == 0
    assert "patient01_FLAIR.nii.gz" in capsys.readouterr().out


def test_methods_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["methods"]) == 0
    assert any(line.split()[:2] == ["dae", "healthy"] for line in capsys.readouterr().out.splitlines())


@pytest.mark.slow
def test_a_begun_method_passes_the_conformance_tests(tmp_path: Path) -> None:
    assert cli.main(["methods", "new", "my_method", "--folder", str(tmp_path)]) == 0
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "tests/conformance", "-k", "my_method"]
    surroundings = {**running.surroundings(), "MADAD_METHOD_FOLDERS": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(("name", "answer"), [("dae", "has a method or part"), ("My-Method", "cannot name a method")])
def test_a_name_that_no_method_can_have_is_refused(
    name: str, answer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["methods", "new", name, "--folder", str(tmp_path)]) == 1
    assert answer in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_the_doctor_looks_at_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    told = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert str(FOLDER / "profiles" / "default") in told["profile"] or Path("profiles/default").is_dir()
    assert told["self-test"].startswith("a network learns and a lesion is found on cpu") and "torch" in told["versions"]


def image(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array.astype(np.float32), np.eye(4)), path)
    return path


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """Two subjects: a map that ranks all lesion voxels first, and one that is reversed; no lesion in a third."""
    brain = np.zeros((8, 8, 8))
    brain[1:7, 1:7, 1:7] = 1
    lesion = np.zeros_like(brain)
    lesion[3:5, 3:5, 3:5] = 1
    for subject, scores, truth in (("01", lesion, lesion), ("02", 1 - lesion, lesion), ("03", lesion, 0 * lesion)):
        image(tmp_path / f"maps/sub-{subject}_desc-x_anomalymap.nii.gz", (1 + scores) * brain)
        image(tmp_path / f"maps/sub-{subject}_desc-x_mask.nii.gz", brain)
        image(tmp_path / f"masks/sub-{subject}_label-lesion_mask.nii.gz", truth)
        image(tmp_path / f"masks/sub-{subject}_desc-brain_mask.nii.gz", brain)
    return tmp_path


def test_maps_are_scored_without_a_run(maps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(maps / "maps"), "--references", str(maps / "masks"), "--brains", str(maps / "masks")]
    assert cli.main(["score", *folders, "--threshold", "1.5", "--out", str(maps / "scores.tsv")]) == 0
    rows = {row["map"]: row for row in read_table(maps / "scores.tsv")}
    good, bad, healthy = (rows[f"sub-0{number}_desc-x_anomalymap.nii.gz"] for number in (1, 2, 3))
    assert float(good["auprc"]) == float(good["dice"]) == 1 and float(bad["auroc"]) == 0 and healthy["auprc"] == "nan"
    assert float(rows["mean"]["auroc"]) == 0.5 and "mean" in capsys.readouterr().out


def test_a_map_without_a_mask_or_on_another_grid_is_named(maps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(maps / "maps/sub-04_desc-x_anomalymap.nii.gz", np.ones((8, 8, 8)))
    folders = [str(maps / "maps"), "--references", str(maps / "masks"), "--brains", str(maps / "masks")]
    assert cli.main(["score", *folders]) == 1
    assert "sub-04_desc-x_anomalymap.nii.gz: no mask among --references" in capsys.readouterr().err
    one = [str(maps / "maps/sub-01_desc-x_anomalymap.nii.gz"), *folders[1:]]
    image(maps / "masks/sub-01_label-lesion_mask.nii.gz", np.zeros((9, 8, 8)))
    assert cli.main(["score", *one]) == 1
    assert "lies on another grid" in capsys.readouterr().err


def test_a_bids_app_is_a_prediction(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[argparse.Namespace] = []
    monkeypatch.setattr(cli.predict, "predict", lambda arguments: seen.append(arguments))
    cli.predict.predict.__name__ = "predict"
    words = "bids out participant --model m.zip --participant-label 001 002 --filter-T1w acq=x"
    assert cli.main(words.split()) == 0
    assert (seen[0].scans, seen[0].out, seen[0].participant_label) == ([Path("bids")], Path("out"), ["001", "002"])
    assert seen[0].filter_T1w == ["acq=x"]
    with pytest.raises(SystemExit, match="group"):
        cli.main(["bids", "out", "group", "--model", "m.zip"])
