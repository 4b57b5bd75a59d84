"""Programs of other projects, played by small scripts that know their command lines."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from madad.core.errors import SubjectError, UserError
from madad.core.io.volumes import Volume
from madad.data.preprocessing.skull_stripping import external_tools

AFFINE = np.array([[0, -2.0, 0, 30], [3.0, 0, 0, -20], [0, 0, 2.5, 4], [0, 0, 0, 1]])
IMAGE = Volume(np.random.default_rng(0).uniform(size=(12, 10, 8)).astype(np.float32), AFFINE)

# What each program's command line promises: read the image, write the mask where it does.
HD_BET = """
import argparse, nibabel as nib, numpy as np
known = argparse.ArgumentParser()
known.add_argument("-i", required=True), known.add_argument("-o", required=True)
known.add_argument("-device", default="cuda")
for flag in ("--disable_tta", "--save_bet_mask", "--no_bet_image"):
    known.add_argument(flag, action="store_true")
given = known.parse_args()
assert given.o.endswith(".nii.gz") and given.device == "cpu" and given.save_bet_mask
path, out = given.i, given.o[:-7] + "_bet.nii.gz"
"""
SYNTHSTRIP = """
import argparse, nibabel as nib, numpy as np
known = argparse.ArgumentParser()
known.add_argument("-i", required=True), known.add_argument("-o"), known.add_argument("-m")
known.add_argument("-g", action="store_true")
given = known.parse_args()
path, out = given.i, given.m
"""
MASK = """
image = nib.load(path)
array = (np.asarray(image.dataobj) > 0.5).astype(np.uint8)
nib.save(nib.Nifti1Image(array, image.affine), out)
"""


def stub(folder: Path, code: str) -> str:
    """Write a script and return the command that runs it."""
    script = folder / "a program.py"
    script.write_text(code)
    return shlex.join([sys.executable, str(script)])


@pytest.fixture(autouse=True)
def _no_device_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MADAD_DEVICE", raising=False)


@pytest.mark.parametrize(("name", "code"), [("hd-bet", HD_BET), ("synthstrip", SYNTHSTRIP)])
def test_the_program_s_mask_is_taken(tmp_path: Path, name: str, code: str) -> None:
    found = external_tools.find_brain(name, IMAGE, stub(tmp_path, code + MASK))
    np.testing.assert_array_equal(found.array, IMAGE.array > 0.5)
    np.testing.assert_allclose(found.affine, AFFINE, atol=1e-5)


def test_a_gpu_is_used_where_one_is_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADAD_DEVICE", "cuda:1")
    code = SYNTHSTRIP + "assert given.g\n" + MASK
    assert external_tools.find_brain("synthstrip", IMAGE, stub(tmp_path, code)).array.any()
    assert external_tools.PROGRAMS["hd-bet"].arguments(Path("a"), external_tools._device())[4:6] == ["-device", "cuda:1"]


FAILURES = {
    "exit status": ("import sys; print('loading'); sys.exit('no such layer')", "exit status 1: loading | no such layer"),
    "no output": ("", "wrote no mask.nii.gz"),
    "empty": (SYNTHSTRIP + MASK.replace("> 0.5", "> 5"), "found no brain"),
    "another grid": (SYNTHSTRIP + MASK.replace("array, image", "array[1:], image"), "on another grid"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_says_what_went_wrong(tmp_path: Path, kind: str) -> None:
    code, words = FAILURES[kind]
    with pytest.raises(SubjectError) as caught:
        external_tools.find_brain("synthstrip", IMAGE, stub(tmp_path, code))
    assert words in str(caught.value) and "synthstrip" in str(caught.value)


def test_a_program_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_tools, "TIMEOUT_S", 0.3)
    with pytest.raises(SubjectError, match=r"stopped after 0\.3 s"):
        external_tools.find_brain("hd-bet", IMAGE, stub(tmp_path, "import time; time.sleep(60)"))


@pytest.mark.parametrize("name", sorted(external_tools.PROGRAMS))
def test_a_missing_command_stops_everything(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=f"{external_tools.PROGRAMS[name].command}.*not found"):
        external_tools.check_ready(name, None)


def test_hd_bet_must_not_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "hd-bet"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"hd-bet_params/release_2\.0\.0.*no job downloads"):
        external_tools.check_ready("hd-bet", str(program))
    weights = tmp_path / external_tools.HD_BET_WEIGHTS
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    external_tools.check_ready("hd-bet", str(program))


def test_a_container_brings_its_own_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    external_tools.check_ready("hd-bet", f"{shlex.quote(sys.executable)} run '/images/hd bet.sif'")
    assert external_tools.words("hd-bet", "apptainer run '/images/hd bet.sif'") == ["apptainer", "run", "/images/hd bet.sif"]
