"""Brain masks by programs that are installed separately: HD-BET and SynthStrip.

They have trained networks and libraries of their own, so they are called, not imported: an image is written as a NIfTI file, and
a mask is read back. The command may be the program itself or a container that runs it.
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
# Number of lines of a failed program's output that are shown.
LAST_LINES = 5
# HD-BET 2 looks for its network here below the home directory; the path cannot be configured.
HD_BET_WEIGHTS = Path("hd-bet_params") / "release_2.0.0" / "fold_all" / "checkpoint_final.pth"


@dataclass(frozen=True)
class Program:
    """A program that finds a brain.

    Attributes:
        command: command, unless the configuration sets another one.
        arguments: returns the arguments for an input file and a device ("cpu", "cuda", "cuda:1").
        mask: name of the file that it writes beside the input.
        install: how to install it, for messages.
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
    """Return the command of a program as a list of words; it is run without a shell."""
    return shlex.split(command or PROGRAMS[name].command)


def check_ready(name: str, command: str | None) -> None:
    """Check before the first image that a program can be called.

    This is not done when the configuration is read: jobs may run on other machines than the one that plans them.

    Raises:
        UserError: the command is not found, or HD-BET has no network and would download it.
    """
    first = words(name, command)[0]
    if shutil.which(first) is None:
        raise UserError(
            f"skull_strip: {name} needs the command {first!r}, which is not found here ({PROGRAMS[name].install}); "
            "install it, or set skull_strip_command to its command"
        )
    weights = Path.home() / HD_BET_WEIGHTS
    if Path(first).name == PROGRAMS["hd-bet"].command and not weights.is_file():
        raise UserError(
            f"skull_strip: hd-bet has no network in {weights.parent.parent}, and no job downloads anything; run hd-bet once on "
            "any image where there is internet, or unpack the archive of https://zenodo.org/records/14445620 into that folder"
        )


def find_brain(name: str, image: Volume, command: str | None = None) -> Volume:
    """Return the brain mask, uint8, on the grid of an image.

    Args:
        name: one of `PROGRAMS`.
        image: whole head at the resolution of its file.
        command: command to use instead of its usual name.

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
        raise SubjectError(f"{name} wrote a mask on another grid than its image ({problem}); check the command and its version")
    return found


def _device() -> str:
    """Return the device in MADAD_DEVICE; the CPU otherwise, because jobs of this stage lease no GPU."""
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
        last = [line for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()][-LAST_LINES:]
        raise SubjectError(f"{name} failed with exit status {done.returncode}: {' | '.join(last) or 'it printed nothing'}")
