"""Peak memory of this process from a given moment on."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# Resets the peak of the resident set (Linux, proc(5)).
FORGET_PEAK = "5"


def forget_peak() -> None:
    """Reset the peak where the system allows it; elsewhere it stays that of the whole process."""
    try:
        CLEAR.write_text(FORGET_PEAK)
    except OSError:
        return


def peak_mb() -> float:
    """Return the largest resident set (MiB) since `forget_peak` of this process, without its children."""
    try:
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    except (OSError, StopIteration):
        unit = 1024 * 1024 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
