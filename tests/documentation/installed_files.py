"""Check that a package is installed outside this checkout, with every file that its folder here holds.

python -I tests/documentation/installed_files.py madad
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


# Files of the workflow that a wheel holds in the package, in a folder of this name.
COPY = "workflow_files"
WORKFLOW = ("Snakefile", "config.yaml", "rules", "presets", "profiles", "schemas", "report", "envs", "examples", "studies")


def missing(package: str) -> list[str]:
    """Return the tracked files of a package, and of its workflow, that its installed copy lacks."""
    installed = Path(importlib.util.find_spec(package).origin).parent
    assert ROOT / package != installed, f"{package} is imported from the checkout, not from an installed wheel"
    return missing_from(installed.parent, package)


def missing_from(site: Path, package: str) -> list[str]:
    """Return the tracked files of a package, and of its workflow, that a folder of installed packages lacks."""
    own, files = _tracked(package), _tracked(*WORKFLOW)
    assert own and files, f"git lists no file below {package}"
    absent = [name for name in own if not (site / name).is_file()]
    return [*absent, *(name for name in files if not (site / package / COPY / name).is_file())]


def _tracked(*names: str) -> list[str]:
    return subprocess.run(["git", "ls-files", *names], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()


if __name__ == "__main__":
    absent = missing(sys.argv[1])
    sys.exit(f"not in the wheel: {', '.join(absent)}" if absent else 0)
