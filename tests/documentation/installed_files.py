"""Check that a package is installed outside this checkout, with every file that its folder here holds.

python -I tests/documentation/installed_files.py madad
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def missing(package: str) -> list[str]:
    """Return the tracked files of a package that its installed copy lacks."""
    installed = Path(importlib.util.find_spec(package).origin).parent
    assert ROOT / package != installed, f"{package} is imported from the checkout, not from an installed wheel"
    listed = subprocess.run(["git", "ls-files", package], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert listed, f"git lists no file below {package}"
    return [name for name in listed if not (installed.parent / name).is_file()]


if __name__ == "__main__":
    absent = missing(sys.argv[1])
    sys.exit(f"not in the wheel: {', '.join(absent)}" if absent else 0)
