"""Energy from times, cores and GPUs."""

from __future__ import annotations

import pandas as pd
import pytest

from madad.evaluation.results.long_table import COLUMNS
from madad.evaluation.results.metric_table import SECONDS
from madad.evaluation.results.protocol_table import INFERENCE
from madad.reporting.story.energy import CORE_W, GPU_W, in_words, watt_hours
from tests.reporting.long_rows import of_samples

BLOCK = ("ixi", "T1w", "ixi")
RUN = {"cohort": "ixi", "modality": "T1w", "seed": "0"}


def applied(**seconds: float) -> pd.DataFrame:
    what = (INFERENCE.name, SECONDS.name)
    rows = [row for name, value in seconds.items() for row in of_samples(name, [value], what, block=BLOCK)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_cores_and_gpus_count_while_they_work() -> None:
    trainings = pd.DataFrame(
        [
            {**RUN, "method": "dae", "seconds": 3600.0, "threads": 2, "device": "cpu"},
            {**RUN, "method": "ddpm", "seconds": 1800.0, "threads": 1, "device": "cuda:0"},
        ]
    )
    expected = 2 * CORE_W + 0.5 * (CORE_W + GPU_W) + 2 * CORE_W * 0.5 + (CORE_W + GPU_W) * 0.25
    assert watt_hours(trainings, applied(dae=1800.0, ddpm=900.0)) == pytest.approx(expected)


def test_runs_that_name_no_threads_and_maps_without_a_training_used_one_core() -> None:
    trainings = pd.DataFrame([{**RUN, "method": "dae", "seconds": 3600.0}])
    assert watt_hours(trainings, applied(other=1800.0)) == pytest.approx(1.5 * CORE_W)
    assert watt_hours(pd.DataFrame(columns=list(trainings)), applied(other=3600.0)) == pytest.approx(CORE_W)


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0.0 Wh"), (4.31, "4.3 Wh"), (87.4, "87 Wh"), (2345.0, "2.3 kWh")])
def test_words_have_two_digits(value: float, shown: str) -> None:
    assert in_words(value).startswith(f"about {shown} (")
