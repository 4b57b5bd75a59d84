"""The notebook runs as it stands, on a head of IXI that the bundled model has not seen."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs/how-to/implanted_lesion.ipynb"
HEAD, BRAIN = "sub-IXI526/anat/sub-IXI526_T1w.nii.gz", "derivatives/brainmask/sub-IXI526/anat/sub-IXI526_desc-brain_mask.nii.gz"


@pytest.mark.slow
def test_the_notebook_finds_the_lesion(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, path in (("sub-IXI526_T1w.nii.gz", HEAD), ("sub-IXI526_brain.nii.gz", BRAIN)):
        (tmp_path / name).symlink_to(real_data / "ixi-hh" / path)
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert sum(len([line for line in cell["source"] if line.strip()]) for cell in cells) <= 11
    for cell in cells:
        exec("".join(cell["source"]), {})
    precision, prevalence = map(float, capsys.readouterr().out.split()[-2:])
    shown = plt.gcf().axes
    assert precision > 3 * prevalence > 0, "far above chance, which is the prevalence"
    assert len(shown) == 3 and all(np.ptp(panel.images[0].get_array()) > 0 for panel in shown)
    plt.close("all")
