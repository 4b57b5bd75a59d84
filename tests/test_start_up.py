"""What a stage imports before it works: libraries that take a second or more are loaded only where something uses them."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each of these takes longer to import than most jobs of a small run need for their work.
SLOW = ("torch", "monai", "ants", "sklearn", "skimage", "seaborn", "scipy.stats", "nilearn")


@pytest.mark.parametrize(
    ("module", "loaded"),
    [
        ("madad.cli.main", ()),
        ("madad.data.preprocessing.packing", ()),
        ("madad.data.preprocessing.quality_control", ()),
        ("madad.evaluation.protocol.run", ()),
        # the look of every figure is that of seaborn
        ("madad.reporting.figures.froc", ("seaborn", "scipy.stats")),
        ("madad.reporting.galleries.cases_by_method", ("seaborn", "scipy.stats")),
        ("madad.engine.training", ("torch",)),
        ("madad.methods.mhd", ("torch",)),
        ("madad.methods.mddpm", ("torch",)),
    ],
)
def test_a_stage_loads_no_slow_library_that_it_does_not_use(module: str, loaded: tuple[str, ...]) -> None:
    asked = f"import sys, {module}; print(*(name for name in {SLOW} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert tuple(done.stdout.split()) == loaded


def test_reading_a_command_line_loads_neither_arrays_nor_schemas() -> None:
    asked = "import sys, madad.cli.main; print(*(name for name in ('numpy', 'jsonschema', 'rich') if name in sys.modules))"
    assert not subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
