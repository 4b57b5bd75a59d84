"""Programs and containers: what they are told, what they see, and what happens when they fail."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Maps, Pack
from madad.data.exchange import importing, program
from madad.data.exchange.case_names import case_name
from tests import containers
from tests.evaluation.cases import Case

# A program as the MOOD challenge asks for: for every file of one folder one of the same name in another.
SQUARE = """
import pathlib, sys
import nibabel, numpy
source, target = map(pathlib.Path, sys.argv[1:3])
print(len(list(source.iterdir())), "images")
for path in source.iterdir():
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(image.get_fdata() ** 2, image.affine), target / path.name)
"""
# A stand-in for a container runtime: it maps /input and the like back to the bound folders, and runs the rest.
RUNTIME = """#!{python}
import subprocess, sys
words = sys.argv[1:]
binds = [words[i + 1].split(":") for i, word in enumerate(words) if word in ("--bind", "--volume")]
image = words.index("theirs.sif")
command = words[image + 1:]
for outside, inside, *_ in binds:
    command = [outside if word == inside else word for word in command]
sys.exit(subprocess.run([sys.executable, *command]).returncode)
"""
PLACES = {key: Path(f"/somewhere/{key}") for key in program.FOLDERS}


def options(command: str, container: str = "", runtime: str = "apptainer") -> dict:
    return {"command": command, "container": container, "runtime": runtime}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "square.py"
    path.write_text(SQUARE)
    return path


def made(packs: list[Pack], parameters: dict, tmp_path: Path) -> list:
    return list(program.predictions(packs, parameters, tmp_path / "work", gpus=0))


def test_a_command_maps_every_image(packs: list[Pack], script: Path, tmp_path: Path) -> None:
    found = made(packs, options(f"{sys.executable} {script} {{input}} {{output}}"), tmp_path)
    expected = [pack.image(index) ** 2 for pack in packs for index in range(len(pack))]
    assert all(np.allclose(one.anomaly_map, array, atol=1e-6) for one, array in zip(found, expected, strict=True))
    assert all(one.seconds > 0 for one in found) and not (tmp_path / "work").exists()


@pytest.mark.parametrize("runtime", ["apptainer", "podman", "docker"])
def test_a_container_is_given_the_folders(
    packs: list[Pack], script: Path, tmp_path: Path, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "bin" / runtime
    stand_in.parent.mkdir()
    stand_in.write_text(RUNTIME.format(python=sys.executable))
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}")
    assert len(made(packs, options(f"{script} {{input}} {{output}}", "theirs.sif", runtime), tmp_path)) == 4


def test_a_container_sees_three_folders_and_may_write_to_one() -> None:
    apptainer = program.command_line(options("{input} {output}", "theirs.sif"), PLACES, gpus=1)
    assert apptainer[-3:] == ["theirs.sif", "/input", "/output"] and "--nv" in apptainer and "--containall" in apptainer
    assert "/somewhere/input:/input:ro" in apptainer and "/somewhere/output:/output" in apptainer
    docker = program.command_line(options("sh run.sh {input} {output}", "docker://a/b:1", "docker"), PLACES, gpus=0)
    assert docker[-5:] == ["a/b:1", "sh", "run.sh", "/input", "/output"] and "--gpus" not in docker
    assert docker[docker.index("--network") + 1] == "none" and f"{os.getuid()}:{os.getgid()}" in docker


def test_podman_runs_a_container(packs: list[Pack], tmp_path: Path) -> None:
    image = containers.image(tmp_path)
    if image is None:
        pytest.skip("podman is not installed, or cannot run a container here")
    found = made(packs, options(containers.COMMAND, image, "podman"), tmp_path)
    expected = [pack.image(index) for pack in packs for index in range(len(pack))]
    assert all(np.allclose(one.anomaly_map, array, atol=1e-6) for one, array in zip(found, expected, strict=True))


@pytest.mark.parametrize(("user", "owner"), [(0, []), (1000, ["--userns", "keep-id"])])
def test_podman_of_root_keeps_no_identity(user: int, owner: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.os, "getuid", lambda: user)
    words = program.command_line(options("", "theirs", "podman"), PLACES, gpus=0)
    assert words == ["podman", "run", "--rm", "--network", "none", *owner, *words[5 + len(owner) :]] and words[-1] == "theirs"
    assert ("--userns" in words) == bool(user)


def test_a_quoted_word_stays_one_word() -> None:
    words = program.command_line(options("run 'a b' --from={input}"), PLACES, gpus=0)
    assert words == ["run", "a b", "--from=/somewhere/input"]


def test_a_failing_program_is_quoted(packs: list[Pack], tmp_path: Path) -> None:
    script = tmp_path / "fails.py"
    script.write_text("print('out of patience'); raise SystemExit(3)")
    with pytest.raises(UserError, match=r"(?s)ended with status 3.*out of patience"):
        made(packs, options(f"{sys.executable} {script} {{input}} {{output}}"), tmp_path)
    with pytest.raises(UserError, match="no-such-program: cannot be run"):
        made(packs, options("no-such-program {input} {output}"), tmp_path)
    assert not (tmp_path / "work").exists()


def test_a_program_that_leaves_out_an_image_is_refused(packs: list[Pack], script: Path, tmp_path: Path) -> None:
    script.write_text(script.read_text() + "next(target.iterdir()).unlink()\n")
    with pytest.raises(UserError, match=r"1 of 4 maps cannot be used(?s:.*)sub-\d \(\w+\): no case-"):
        made(packs, options(f"{sys.executable} {script} {{input}} {{output}}"), tmp_path)


def test_the_stored_maps_know_whose_they_are(case: Case, packs: list[Pack], script: Path, tmp_path: Path) -> None:
    identity = {"cohort": "toy", "modality": "T1w", "testset": "toy", "method": "theirs", "seed": "0"}
    own = {"base": "program", "parameters": options(f"{sys.executable} {script} {{input}} {{output}}")}
    importing.write(case.packs, own, identity, tmp_path / "out/maps.h5", tables=[], gpus=0)
    with Maps(tmp_path / "out/maps.h5") as maps:
        assert maps.attributes["method"] == "theirs" and maps.attributes["content_test"] == packs[1].content
        assert np.allclose(maps.anomaly_map(maps.row("test", "sub-1")), packs[1].image(1) ** 2, atol=1e-3)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["maps.h5"]


def test_the_record_of_such_a_run_knows_of_no_training_data(tmp_path: Path) -> None:
    identity = {"cohort": "toy", "modality": "T1w", "method": "theirs", "seed": "0"}
    importing.record(tmp_path, identity, {"base": "given_maps", "parameters": {"folder": "maps"}})
    told = json.loads((tmp_path / "train.json").read_text())
    assert told["identity"] == identity and told["data"] == {} and told["parameter_count"] is None
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1


def test_names_in_the_input_are_those_of_the_cases(packs: list[Pack], tmp_path: Path) -> None:
    lister = tmp_path / "list.py"
    seen = tmp_path / "seen.txt"
    lister.write_text(f"import os, sys; open({str(seen)!r}, 'w').write(' '.join(os.listdir(sys.argv[1])))")
    with pytest.raises(UserError):
        made(packs, options(f"{sys.executable} {lister} {{input}} {{output}}"), tmp_path)
    cases = {f"{case_name(pack, index)}.nii.gz" for pack in packs for index in range(len(pack))}
    assert set(seen.read_text().split()) == cases
