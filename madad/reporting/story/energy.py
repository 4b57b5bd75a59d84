"""What a run has used in electricity, reckoned from its times: computers rarely let a user read their meters.

Source: Lannelongue et al. 2021, Green Algorithms (doi:10.1002/advs.202100707): energy is time × power of the cores in use. 12 W
and 200 W are the values of its tables for a core and a GPU of unknown make. Memory, cooling and what runs before and after the
networks are left out.
"""

from __future__ import annotations

import pandas as pd

from madad.evaluation.results.collected import select
from madad.evaluation.results.metric_table import SECONDS
from madad.evaluation.results.protocol_table import INFERENCE

CORE_W, GPU_W = 12.0, 200.0
_RUN = ["cohort", "modality", "method", "seed"]


def watt_hours(trainings: pd.DataFrame, metrics: pd.DataFrame) -> float:
    """Return the energy of trainings and anomaly maps in Wh, those of a method on the device that it was trained on.

    Args:
        trainings: see `madad.evaluation.results.collected.read_trainings`.
        metrics: long table of all runs.
    """
    power = _watts(trainings)
    learning = pd.to_numeric(trainings.get("seconds", pd.Series(dtype=float)), errors="coerce").fillna(0.0)
    applying = select(metrics, SECONDS, INFERENCE)
    keys = pd.MultiIndex.from_frame(applying[_RUN].astype(str))
    known = pd.Series(power.to_numpy(), index=pd.MultiIndex.from_frame(trainings[_RUN].astype(str)))
    own = known[~known.index.duplicated()].reindex(keys).fillna(CORE_W).to_numpy()
    return float((learning * power).sum() + (applying["value"].to_numpy(dtype=float) * own).sum()) / 3600


def in_words(energy_wh: float) -> str:
    """Return an energy with two digits and what it rests on."""
    value, unit = (energy_wh / 1000, "kWh") if energy_wh >= 1000 else (energy_wh, "Wh")
    shown = f"{value:.0f}" if value >= 10 else f"{value:.1f}"
    return f"about {shown} {unit} (reckoned: {CORE_W:.0f} W a core, {GPU_W:.0f} W a GPU)"


def _watts(trainings: pd.DataFrame) -> pd.Series:
    """Return the power in use during each training: its cores, and a GPU if it had one."""
    threads = pd.to_numeric(trainings.get("threads", pd.Series(1.0, index=trainings.index)), errors="coerce").fillna(1.0)
    devices = trainings.get("device", pd.Series("cpu", index=trainings.index)).fillna("cpu").astype(str)
    return CORE_W * threads + GPU_W * devices.str.startswith("cuda")
