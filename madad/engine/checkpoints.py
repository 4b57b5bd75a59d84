"""The checkpoint from which an interrupted training resumes: one file, complete or absent, of one fingerprint."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from madad.core.logs import warn
from madad.core.provenance import complete

NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict, fingerprint: str) -> None:
    """Write a state of tensors, numbers, texts, lists and dicts. The old checkpoint stays until the new one is complete.

    It passes through memory: torch ends the process when a file that it writes to reports a full disk.
    """
    memory = io.BytesIO()
    torch.save({"fingerprint": fingerprint, "state": state}, memory)
    with complete(folder / NAME) as partial:
        partial.write_bytes(memory.getbuffer())


def load_checkpoint(folder: Path, fingerprint: str) -> dict | None:
    """Return the saved state, or None if there is none; warn when a checkpoint is damaged or belongs to another run."""
    path = folder / NAME
    for leftover in folder.glob(f".*-{NAME}"):  # from a process that was killed while writing
        leftover.unlink()
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found, state = str(content["fingerprint"]), dict(content["state"])
    except Exception as error:  # zip, pickle and key errors have no common ancestor
        warn(f"{path}: the checkpoint is damaged ({type(error).__name__}); training starts from the beginning")
        return None
    if found != fingerprint:
        warn(
            f"{path}: the checkpoint is of other options, data or code ({found}, not {fingerprint}); "
            "training starts from the beginning"
        )
        return None
    return state


def remove_checkpoint(folder: Path) -> None:
    """Remove the checkpoint once the final files are written; the next training starts from the beginning."""
    (folder / NAME).unlink(missing_ok=True)
