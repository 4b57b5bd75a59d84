"""Brain masks by programs that are installed apart: HD-BET and SynthStrip.

They bring trained networks and libraries of their own, so that they are called, not imported: an image goes out as a NIfTI file,
a mask comes back as one. The command may be the program itself or a container that runs it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from madad.core.errors import SubjectError, UserError
from madad.core.io.volumes import Volume, grid_difference, load_mask, save_volume

TIMEOUT_S = 3600.0
# How much of what a failed program said is shown.
LAST_LINES = 5
# Where HD-BET 2 looks for its network below the home directory; nothing else can be set.
HD_BET_WEIGHTS = Path("hd-bet_params") / "release_2.0.0" / "fold_all" / "checkpoint_final.pth"


@dataclass(frozen=True)
class Program:
    """A program that finds a brain.

    Attributes:
        command: how it is called when the configuration says nothing else.
        arguments: of the input file and the device ("cpu", "cuda", "cuda:1").
        mask: name of the file that it writes beside the input.
        install: where it comes from, for whoever lacks it.
    """

    command: str
    arguments: Callable[[Path, str], list[str]]
    mask: str
    install: str


def _hd_bet_arguments(image: Path, device: str) -> list[str]:
    # Test-time augmentation takes eight times as long; the mask is kept, the stripped image is not needed.
    out = str(image.with_name("out.nii.gz"))
    return ["-i", str(image), "-o", out, "-device", device, "--disable_tta", "--save_bet_mask", "--no_bet_image"]


def _synthstrip_arguments(image: Path, device: str) -> list[str]:
    arguments = ["-i", str(image), "-m", str(image.with_name("mask.nii.gz"))]
    return arguments if device == "cpu" else [*arguments, "-g"]


PROGRAMS = {
    # Isensee et al. 2019, doi:10.1002/hbm.24750
    "hd-bet": Program("hd-bet", _hd_bet_arguments, "out_bet.nii.gz", "pip install hd-bet, in an environment of its own"),
    # Hoopes et al. 2022, doi:10.1016/j.neuroimage.2022.119474
    "synthstrip": Program(
        "mri_synthstrip", _synthstrip_arguments, "mask.nii.gz", "part of FreeSurfer, and the container freesurfer/synthstrip"
    ),
}


def words(name: str, command: str | None) -> list[str]:
    """The command of a program as a list of words; no shell ever sees it."""
    return shlex.split(command or PROGRAMS[name].command)


def check_ready(name: str, command: str | None) -> None:
    """See that a program can be called here, before the first image.

    Not when the configuration is read: jobs may run on other machines than the one that plans them.

    Raises:
        UserError: the command is not found, or HD-BET has no network and would fetch it from the internet.
    """
    first = words(name, command)[0]
    if shutil.which(first) is None:
        raise UserError(
            f"skull_strip: {name} needs the command {first!r}, which is not found here ({PROGRAMS[name].install}); "
            "install it, or say in skull_strip_command how to call it"
        )
    weights = Path.home() / HD_BET_WEIGHTS
    if Path(first).name == PROGRAMS["hd-bet"].command and not weights.is_file():
        raise UserError(
            f"skull_strip: hd-bet has no network in {weights.parent.parent}, and no job downloads anything; run hd-bet once on "
            "any image where there is internet, or unpack the archive of https://zenodo.org/records/14445620 into that folder"
        )


def find_brain(name: str, image: Volume, command: str | None = None) -> Volume:
    """Brain mask, uint8, on the grid of an image.

    Args:
        name: one of `PROGRAMS`.
        image: whole head at the resolution of its file.
        command: how to call it instead of by its usual name.

    Raises:
        SubjectError: the program failed, took too long, or left no mask on the image's grid.
    """
    program = PROGRAMS[name]
    with tempfile.TemporaryDirectory(prefix="madad-") as folder:
        file = Path(folder) / "head.nii.gz"
        save_volume(file, image)
        _call(name, [*words(name, command), *program.arguments(file, _device())])
        mask = file.with_name(program.mask)
        if not mask.is_file():
            raise SubjectError(f"{name} ended without an error but wrote no {program.mask}; check its version and the command")
        try:
            found = load_mask(mask, name="brain mask")
        except SubjectError:
            raise SubjectError(f"{name} found no brain, its mask is empty or damaged; look at the image") from None
    problem = grid_difference(found, image)
    if problem:
        raise SubjectError(f"{name} gave a mask on another grid than its image ({problem}); check the command and its version")
    return found


def _device() -> str:
    """What MADAD_DEVICE asks for; the CPU otherwise, because jobs of this stage hold no GPU."""
    device = os.environ.get("MADAD_DEVICE", "")
    return device if device.startswith("cuda") else "cpu"


def _call(name: str, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise SubjectError(f"{name} was stopped after {TIMEOUT_S:g} s; look at the image, or give the job more threads") from None
    except OSError as error:
        raise SubjectError(f"{name} could not be started: {command[0]}: {error.strerror}") from None
    if done.returncode:
        said = [line for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()][-LAST_LINES:]
        raise SubjectError(f"{name} failed with exit status {done.returncode}: {' | '.join(said) or 'it said nothing'}")
