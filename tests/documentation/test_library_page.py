"""The examples of docs/how-to/library.md run as they stand, on a small model and a scan with a lesion."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from madad.detection import model_export
from tests.detection import finished_run, scans

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/library.md"


@pytest.mark.slow
def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    model_export.export(finished_run.make(tmp_path / "run").folder, tmp_path / "model.zip", licence="CC0")
    scans.write(tmp_path / "sub-01_T1w.nii.gz", lesion=False)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S):
        exec(block, names)
    assert (tmp_path / "map.nii.gz").is_file() and float(capsys.readouterr().out.split()[-1]) > 0.3
