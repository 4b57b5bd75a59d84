"""The command that looks at the machine: can it run the workflow, and do the parts work together."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from madad.cli.arguments import Arguments, Commands, verb

PROGRAMS = ("hd-bet", "mri_synthstrip", "apptainer", "podman", "docker")
GB = 1e9
# Less than this many GB is too little even for a small run.
LEAST_DISK_GB = 5


def declare(commands: Commands) -> None:
    """Declare `madad doctor`."""
    verb(commands, doctor)


def doctor(arguments: Arguments) -> None:
    """Look at this machine: versions, GPU, memory, disk, Snakemake's profile, other programs; and test the parts in seconds."""
    for lines in (_versions, _machine, _workflow, _programs):
        for line in lines():
            print(line)
    from madad.detection import self_test

    print(f"self-test: {self_test.run()}")


def _versions() -> Iterator[str]:
    from madad.core.provenance import environment

    yield "versions: " + ", ".join(f"{name} {value}" for name, value in environment().items())


def _machine() -> Iterator[str]:
    import psutil
    import torch

    memory = psutil.virtual_memory()
    yield f"processors: {len(os.sched_getaffinity(0))}; memory: {memory.available / GB:.0f} of {memory.total / GB:.0f} GB free"
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    yield f"GPU: {', '.join(names) or 'none that PyTorch can use; trainings of published sizes take weeks without one'}"
    free = shutil.disk_usage(Path.cwd()).free / GB
    yield f"disk: {free:.0f} GB free below {Path.cwd()}" + (
        f"; a small run takes up to {LEAST_DISK_GB} GB" if free < LEAST_DISK_GB else ""
    )
    if not os.access(Path.cwd(), os.W_OK):
        yield "disk: this folder cannot be written to; results/ would be here, so go to another"


def _workflow() -> Iterator[str]:
    from madad.core.workflow_files import FOLDER

    yield f"workflow: {FOLDER / 'Snakefile'}"
    given = os.environ.get("SNAKEMAKE_PROFILE")
    here = [folder for folder in (Path.cwd(), FOLDER) if (folder / "profiles" / "default").is_dir()]
    yield f"profile: {here[0] / 'profiles' / 'default'}" + (f", over it {given} (SNAKEMAKE_PROFILE)" if given else "")


def _programs() -> Iterator[str]:
    found = [name for name in PROGRAMS if shutil.which(name)]
    missing = [name for name in PROGRAMS if name not in found]
    yield f"other programs: {', '.join(found) or 'none'}; not found: {', '.join(missing) or 'none'}"
