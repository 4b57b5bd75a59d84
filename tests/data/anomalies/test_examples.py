from __future__ import annotations

from pathlib import Path

import numpy as np

from madad.data.anomalies.bank import build
from madad.data.anomalies.examples import SAMPLES, TIMES, make_examples
from madad.reporting.galleries.synthetic_lesions import draw_examples
from tests.data.anomalies.conftest import GENERATOR


def test_examples_are_made_and_drawn(packs: dict[str, Path], tmp_path: Path) -> None:
    build(tmp_path / "bank.h5", 0, 1, GENERATOR)
    make_examples(packs["T1w"], [tmp_path / "bank.h5"], tmp_path / "examples.npz", GENERATOR)
    with np.load(tmp_path / "examples.npz", allow_pickle=False) as stored:
        assert stored["evolution"].shape[0] == len(TIMES) and stored["evolution"][0].max() > stored["evolution"][-1].max() > 0
        assert len(stored["healthy"]) == len(stored["preset"]) == 4 * SAMPLES
        assert (stored["healthy"] != stored["lesioned"]).any(axis=(1, 2)).all()
    draw_examples(tmp_path / "examples.npz", tmp_path / "a.png", tmp_path / "a.pdf")
    assert (tmp_path / "a.png").stat().st_size > 20_000 and (tmp_path / "a.pdf").exists()
