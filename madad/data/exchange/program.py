"""Maps by a program of somebody else: a command or a container that reads one folder and writes another.

The contract is that of the MOOD challenge (http://medicalood.dkfz.de/web/): a folder of images goes in, and for every image a
map of the same file name and shape comes out. The program sees images alone, under names that say nothing.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack, Prediction
from madad.core.logs import say
from madad.data.exchange.case_names import case_name
from madad.data.exchange.map_files import beside, collect, on_grid
from madad.data.exchange.testset_export import BRAINS, IMAGES, write_cases

FOLDERS = ("input", "brains", "output")
# So much of what the program wrote last is repeated when it fails.
LAST_LINES = 15
GPU = {"apptainer": ["--nv"], "podman": ["--device", "nvidia.com/gpu=all"], "docker": ["--gpus", "all"]}


def predictions(packs: Sequence[Pack], parameters: dict, work: Path, gpus: int) -> Iterator[Prediction]:
    """Run the program on all samples of the packs and yield their maps; its time is divided evenly.

    Args:
        packs: opened.
        parameters: `command`, `container` and `runtime` as in the card.
        work: folder for its input and output, emptied first and removed at the end.
        gpus: number of GPUs that the job was given.

    Raises:
        UserError: the program fails, or a map is missing or cannot be used.
    """
    shutil.rmtree(work, ignore_errors=True)
    places = {"input": work / IMAGES, "brains": work / BRAINS, "output": work / "maps"}
    try:
        for place in places.values():
            place.mkdir(parents=True)
        for pack in packs:
            write_cases(pack, work)
        begun = time.perf_counter()
        run(command_line(parameters, {key: place.resolve() for key, place in places.items()}, gpus))
        seconds = (time.perf_counter() - begun) / max(sum(len(pack) for pack in packs), 1)
        yield from _maps(packs, places["output"], parameters, seconds)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def command_line(parameters: dict, places: dict[str, Path], gpus: int) -> list[str]:
    """Return the words of the command.

    A container sees the three folders and nothing else of the machine, and its input cannot be written to. With podman and
    docker it has no network.

    Args:
        parameters: `command`, `container` and `runtime` as in the card.
        places: absolute folders of `FOLDERS`.
        gpus: 0 for none.
    """
    inside = {key: f"/{key}" for key in FOLDERS} if parameters["container"] else {key: str(places[key]) for key in FOLDERS}
    words = [word.format(**inside) for word in shlex.split(parameters["command"])]
    if not parameters["container"]:
        return words
    runtime, image = parameters["runtime"], parameters["container"]
    gpu = GPU[runtime] if gpus else []
    bound = [f"{places[key]}:/{key}{'' if key == 'output' else ':ro'}" for key in FOLDERS]
    if runtime == "apptainer":
        binds = [word for bind in bound for word in ("--bind", bind)]
        return ["apptainer", "run", "--containall", "--writable-tmpfs", *gpu, *binds, image, *words]
    volumes = [word for bind in bound for word in ("--volume", bind)]
    image = image.removeprefix("docker://")
    return [runtime, "run", "--rm", "--network", "none", *_owner(runtime), *gpu, *volumes, image, *words]


def _owner(runtime: str) -> list[str]:
    """Return the options by which files that a container writes belong to who runs it."""
    if runtime == "docker":
        return ["--user", f"{os.getuid()}:{os.getgid()}"]
    # podman of root refuses keep-id, and needs none: who is root inside is root outside
    return ["--userns", "keep-id"] if os.getuid() else []


def run(words: list[str]) -> None:
    """Run a command; what it writes goes to the log line by line.

    Raises:
        UserError: there is no such program, or it ends with an error.
    """
    say(f"running {shlex.join(words)}")
    last: deque[str] = deque(maxlen=LAST_LINES)
    try:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    except OSError as error:
        raise UserError(f"{words[0]}: cannot be run ({error.strerror}); install it, or correct the command") from None
    with process as running:
        for line in running.stdout or ():
            last.append(line.rstrip())
            say(line.rstrip())
    if process.returncode:
        raise UserError("\n".join([f"{shlex.join(words)}: ended with status {process.returncode}; its last lines:", *last]))


def _maps(packs: Sequence[Pack], folder: Path, parameters: dict, seconds: float) -> Iterator[Prediction]:
    def find(pack: Pack, index: int) -> Path:
        return beside(folder, (case_name(pack, index),))

    where = parameters["container"] or parameters["command"]
    files = collect(list(packs), where, find, on_grid)
    for pack in packs:
        for index, name in enumerate(pack.names):
            yield Prediction(name, pack.split, on_grid(pack, index, files[pack.split, name]), None, seconds, np.nan)
