from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from madad.evaluation.long_table import COLUMNS
from madad.reporting.summary import read_summary, summarise


def summary_of(tmp_path, values: dict[str, dict[str, list[float]]]) -> pd.DataFrame:
    """Summary of AUPRC values given as method -> seed -> one value a subject."""
    rows = [
        dict(
            zip(
                COLUMNS,
                ("a", "T1w", "a", method, seed, "test", f"s{i}", f"s{i}", "patient", "per_subject", "auprc", value),
                strict=True,
            )
        )
        for method, seeds in values.items()
        for seed, own in seeds.items()
        for i, value in enumerate(own)
    ]
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(tmp_path / "m.csv", index=False, na_rep="nan")
    summarise(tmp_path / "m.csv", tmp_path / "s.csv", 300)
    return read_summary(tmp_path / "s.csv").set_index("method")


BASE = np.linspace(0.2, 0.6, 12)


def test_mean_interval_and_counts(tmp_path) -> None:
    line = summary_of(tmp_path, {"x": {"0": list(BASE)}}).loc["x"]
    assert line["value"] == pytest.approx(0.4)
    assert line["low"] < 0.4 < line["high"]
    assert (line["subjects"], line["missing"], line["seeds"]) == (12, 0, 1)
    assert np.isnan(line["seed_sd"])


def test_seeds_are_averaged_by_subject_and_spread_apart(tmp_path) -> None:
    line = summary_of(tmp_path, {"x": {"0": list(BASE), "1": list(BASE + 0.2)}}).loc["x"]
    assert line["value"] == pytest.approx(0.5)
    assert line["subjects"] == 12
    assert line["seed_sd"] == pytest.approx(np.std([0.4, 0.6], ddof=1), rel=1e-4)


def test_value_missing_in_one_seed_is_counted_not_hidden(tmp_path) -> None:
    line = summary_of(tmp_path, {"x": {"0": [0.5, 0.5, np.nan], "1": [0.5, 0.5, 0.5]}}).loc["x"]
    assert (line["subjects"], line["missing"]) == (2, 1)


def test_clear_winner_is_marked(tmp_path) -> None:
    summary = summary_of(tmp_path, {"x": {"0": list(BASE)}, "y": {"0": list(BASE + 0.1)}})
    assert (summary.loc["y", "best"], summary.loc["x", "best"]) == (1, 0)


def test_pairing_finds_a_small_but_steady_lead(tmp_path) -> None:
    summary = summary_of(tmp_path, {"x": {"0": list(BASE)}, "y": {"0": list(BASE + 0.01 + 0.001 * np.arange(12))}})
    assert summary.loc["y", "low"] < summary.loc["x", "high"]
    assert summary.loc["y", "best"] == 1


def test_nobody_wins_inside_the_noise(tmp_path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, 12)
    assert (
        summary_of(tmp_path, {"x": {"0": list(BASE)}, "y": {"0": list(BASE + noise - noise.mean() + 0.005)}})["best"].sum() == 0
    )


def test_doubled_method_does_not_win(tmp_path) -> None:
    assert summary_of(tmp_path, {"x": {"0": list(BASE)}, "y": {"0": list(BASE)}})["best"].sum() == 0


def test_single_method_has_nobody_to_beat(tmp_path) -> None:
    assert summary_of(tmp_path, {"x": {"0": list(BASE)}})["best"].sum() == 0


def test_every_measure_of_the_toy_is_there(toy) -> None:
    summary = read_summary(toy.summary)
    assert set(summary["testset"]) == {"phantom", "phantom-implanted"}
    assert set(summary.loc[summary["method"] == "ddpm", "measure"]) > {
        "auprc",
        "auroc",
        "dice_oracle",
        "dice_validation",
        "l1",
        "seconds",
    }
