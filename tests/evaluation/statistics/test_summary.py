from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from madad.evaluation.results.long_table import COLUMNS
from madad.evaluation.statistics.summary import read_summary, summarise
from madad.reporting.tables.significance import read, write_significance
from tests.reporting.long_rows import graded, of_everybody, of_samples, untrained, write


def summary_of(tmp_path, values: dict[str, dict[str, list[float]]]) -> pd.DataFrame:
    """Summary of AUPRC values given as method -> seed -> one value a subject."""
    rows = [
        ("a", "T1w", "a", method, seed, "test", f"s{i}", f"s{i}", "patient", "per_subject", "auprc", value)
        for method, seeds in values.items()
        for seed, own in seeds.items()
        for i, value in enumerate(own)
    ]
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(tmp_path / "m.csv", index=False, na_rep="nan")
    summarise(tmp_path / "m.csv", tmp_path / "s.csv", trained=untrained(rows))
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


def line_of(tmp_path, rows, measure: str = "auprc", method: str = "x") -> pd.Series:
    summarise(write(tmp_path / "m.csv", rows), tmp_path / "s.csv", trained=untrained(rows))
    return read_summary(tmp_path / "s.csv").set_index(["method", "measure"]).loc[(method, measure)]


def test_subjects_count_alike_however_many_samples_they_have(tmp_path) -> None:
    rows = of_samples("x", [0.2, 0.2, 0.2, 0.8], samples=3)
    line = line_of(tmp_path, rows)
    assert (line["value"], line["subjects"]) == (pytest.approx(0.5), 2)


def test_seeds_that_disagree_widen_the_interval(tmp_path) -> None:
    alone = line_of(tmp_path, of_samples("x", BASE))
    several = [row for seed, shift in enumerate((-0.1, 0.0, 0.1)) for row in of_samples("x", BASE + shift, seed=str(seed))]
    line = line_of(tmp_path, several)
    assert line["value"] == pytest.approx(alone["value"])
    assert line["high"] - line["low"] > 1.2 * (alone["high"] - alone["low"])
    assert line["seed_sd"] == pytest.approx(0.1, rel=1e-4)


def test_fewer_than_six_subjects_have_no_winner(tmp_path) -> None:
    rows = [*of_samples("x", BASE[:5]), *of_samples("y", BASE[:5] + 0.3)]
    assert line_of(tmp_path, rows, method="y")["best"] == 0


def test_winner_must_beat_all_others_not_only_the_next(tmp_path) -> None:
    values = graded("abc", 14)
    values["b"] = values["c"] - 0.05
    assert line_of(tmp_path, [row for name in "bc" for row in of_samples(name, values[name])], method="c")["best"] == 1
    values["a"] = values["c"] - 0.1 + np.where(np.arange(14) % 2, 0.3, -0.3)  # last on average, yet often ahead
    rows = [row for name, own in values.items() for row in of_samples(name, own)]
    assert line_of(tmp_path, rows, method="c")["best"] == 0


def test_winner_is_the_one_of_the_published_tests(tmp_path) -> None:
    rows = [row for name, own in graded("abcd", 15).items() for row in of_samples(name, own)]
    line = line_of(tmp_path, rows, method="d")
    write_significance(tmp_path / "m.csv", 300, tmp_path / "c.csv", tmp_path / "r.csv", trained=untrained(rows))
    pairs = read(tmp_path / "c.csv")
    against = pairs[(pairs["first"] == "d") | (pairs["second"] == "d")]
    assert line["best"] == 1
    assert (against["winner"] == "d").all() and (against["p_holm"] < 0.05).all()
    ends = against[["mean_low", "mean_high"]].to_numpy()
    assert (np.sign(ends[:, 0]) == np.sign(ends[:, 1])).all()


def test_method_without_values_spoils_no_comparison(tmp_path) -> None:
    values = graded("abc", 12)
    rows = [row for name, own in values.items() for row in of_samples(name, own)]
    rows += of_samples("d", [np.nan] * 12)
    assert line_of(tmp_path, rows, method="c")["best"] == 1
    absent = line_of(tmp_path, rows, method="d")
    assert (absent["best"], absent["missing"], absent["subjects"]) == (0, 12, 0)
    assert np.isnan(absent["value"])


def test_number_of_the_whole_test_set_has_its_own_bounds_and_no_winner(tmp_path) -> None:
    rows = [
        row
        for seed, value in (("0", 0.4), ("1", 0.6))
        for metric, shift in (("auprc", 0.0), ("auprc_low", -0.1), ("auprc_high", 0.2))
        for row in of_everybody("x", value + shift, ("pooled", metric), seed=seed)
    ]
    line = line_of(tmp_path, [*rows, *of_everybody("y", 0.1, ("pooled", "auprc"))], "auprc_pooled")
    assert line["value"] == pytest.approx(0.5)
    assert line["low"] < 0.3 and line["high"] > 0.7  # two trainings that differ by 0.2 say more than the subjects of either
    alone = line_of(tmp_path, [row for row in rows if row[COLUMNS.index("seed")] == "0"], "auprc_pooled")
    assert (alone["low"], alone["high"]) == pytest.approx((0.3, 0.6))
    assert (line["subjects"], line["seeds"], line["best"]) == (0, 2, 0)
    assert line["seed_sd"] == pytest.approx(np.std([0.4, 0.6], ddof=1), rel=1e-4)


def test_rows_of_samples_and_of_everybody_under_one_name_stay_apart(tmp_path) -> None:
    what = ("oracle_slice", "dice_slice")
    rows = [*of_samples("x", [0.2, 0.4], what), *of_everybody("x", 0.9, what)]
    assert line_of(tmp_path, rows, "dice_slice")["value"] == pytest.approx(0.9)


def test_every_protocol_of_the_toy_is_there(toy) -> None:
    measures = set(read_summary(toy.summary)["measure"])
    assert measures > {"dice_pooled", "dice_pooled_best", "dice_slice", "dice_conformal", "dice_one_fp", "auprc_pooled"}
    assert measures > {"auprc_none", "dice_components_validation", "dice_median_oracle"}


def test_names_of_methods_change_nothing(tmp_path) -> None:
    values = [np.array([own, own + shift]) for shift, own in zip((0.01, 0.02, 0.0), graded("abc", 10).values(), strict=True)]
    found = []
    for names in ("abc", "zxy"):
        rows = [r for name, own in zip(names, values, strict=True) for s in (0, 1) for r in of_samples(name, own[s], seed=str(s))]
        summarise(write(tmp_path / "m.csv", rows), tmp_path / "s.csv")
        found.append(read_summary(tmp_path / "s.csv").set_index("method").loc[list(names)].reset_index(drop=True))
    pd.testing.assert_frame_equal(*found)


def test_ceiling_of_another_track_takes_no_bold_from_anybody(tmp_path) -> None:
    values = graded("abc", 14)
    rows = [row for name, own in values.items() for row in of_samples(name, own)]
    tracks = {"a": "healthy", "b": "healthy", "c": "supervised"}
    summarise(write(tmp_path / "m.csv", rows), tmp_path / "s.csv", tracks, untrained(rows))
    best = read_summary(tmp_path / "s.csv").set_index("method")["best"]
    assert best.to_dict() == {"a": 0, "b": 1, "c": 0}  # the only one of its track has nobody to beat


def test_a_floor_above_another_floor_has_won_nothing(tmp_path) -> None:
    rows = [row for name, own in graded("ab", 14).items() for row in of_samples(name, own)]
    best = {}
    for track in ("none", "healthy"):
        summarise(write(tmp_path / "m.csv", rows), tmp_path / "s.csv", dict.fromkeys("ab", track), untrained(rows))
        best[track] = read_summary(tmp_path / "s.csv").set_index("method")["best"].to_dict()
    assert best == {"none": {"a": 0, "b": 0}, "healthy": {"a": 0, "b": 1}}


def test_one_seed_of_a_trained_method_leaves_nobody_bold(tmp_path) -> None:
    values = graded("ab", 14, step=0.2)
    rows = [row for name, own in values.items() for row in of_samples(name, own)]
    summarise(write(tmp_path / "m.csv", rows), tmp_path / "s.csv", trained={"a": False})
    summary = read_summary(tmp_path / "s.csv").set_index("method")
    assert summary["best"].sum() == 0
    assert summary["training_noise"].to_dict() == {"a": "none", "b": "unknown"}
    rows += [row for name, own in values.items() for row in of_samples(name, own + 0.01, seed="1")]
    summarise(write(tmp_path / "m.csv", rows), tmp_path / "s.csv")
    summary = read_summary(tmp_path / "s.csv").set_index("method")
    assert (summary.loc["b", "best"], summary.loc["b", "training_noise"]) == (1, "measured")
