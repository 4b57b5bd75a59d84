"""The method with scikit-learn in docs/how-to/add_a_method.md passes the conformance tests as it is printed there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_example_is_a_method(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/add_a_method.md").read_text().split("## With scikit-learn")[1]
    for language, ending in (("yaml", "yaml"), ("python", "py")):
        (tmp_path / f"pca_slices.{ending}").write_text(re.search(rf"```{language}\n(.*?)```", page, re.S).group(1))
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "tests/conformance", "-k", "pca_slices"]
    surroundings = {**os.environ, "MADAD_METHOD_FOLDERS": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
