from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from madad.evaluation.results.measures import measures
from madad.evaluation.statistics import rankings
from madad.evaluation.statistics.rankings import CHANCE
from madad.reporting.layout import table_writer
from madad.reporting.tables.significance import p_text, read, write_significance, write_tables
from tests.reporting.long_rows import DICE, graded, of_samples, untrained, write

BRATS = ("own", "T1w", "brats")


def outcome(folder, rows, resamples: int = 300) -> tuple[pd.DataFrame, pd.DataFrame]:
    write_significance(write(folder / "m.csv", rows), resamples, folder / "c.csv", folder / "r.csv", trained=untrained(rows))
    return read(folder / "c.csv"), read(folder / "r.csv")


def shown(folder, monkeypatch) -> list[table_writer.Table]:
    """Both tables for people: pairs, then ranks."""
    made = []
    monkeypatch.setattr(table_writer, "write_html", lambda table, path: made.append(table))
    write_tables(folder / "c.csv", folder / "r.csv", *(folder / name for name in ("c.tex", "c.html", "r.tex", "r.html")))
    return made


def rows_of(values: dict, **options) -> list[tuple]:
    return [row for name, own in values.items() for row in of_samples(name, own, **options)]


def test_every_pair_has_all_its_numbers(tmp_path) -> None:
    values = graded("abc", 12)
    pairs, ranked = outcome(tmp_path, rows_of(values))
    assert list(zip(pairs["first"], pairs["second"], strict=True)) == [("a", "b"), ("a", "c"), ("b", "c")]
    line = pairs.iloc[1]
    assert line["p_wilcoxon"] == pytest.approx(stats.wilcoxon(values["a"], values["c"]).pvalue, rel=1e-5)
    assert line["mean_difference"] == pytest.approx((values["a"] - values["c"]).mean(), rel=1e-5)
    assert line["median_difference"] == pytest.approx(np.median(values["a"] - values["c"]), rel=1e-5)
    assert line["p_holm"] == pytest.approx(3 * line["p_wilcoxon"], rel=1e-5)
    assert (line["subjects"], line["equal"], line["winner"], line["note"]) == (12, 0, "c", "")
    assert ranked["method"].tolist() == ["c", "b", "a"]
    assert ranked["mean_rank"].is_monotonic_increasing
    chances = ranked.filter(like=CHANCE)
    assert chances.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    assert chances.sum(axis=0).to_numpy() == pytest.approx(1, abs=1e-5)


def test_doubled_method_ties_and_shares_the_rank(tmp_path) -> None:
    values = graded("abc", 12)
    pairs, ranked = outcome(tmp_path, rows_of({**values, "d": values["c"]}))
    tie = pairs[(pairs["first"] == "c") & (pairs["second"] == "d")].iloc[0]
    assert (tie["p_wilcoxon"], tie["p_holm"], tie["p_sign"], tie["winner"]) == (1, 1, 1, "")
    ranks = ranked.set_index("method")["mean_rank"]
    assert ranks["c"] == ranks["d"]
    first = ranked.set_index("method")[f"{CHANCE}1"]
    assert first["c"] == first["d"] == pytest.approx(0.5)


def test_names_change_nothing(tmp_path) -> None:
    values = list(graded("abcd", 11).values())
    numbers = ["subjects", "value", "mean_rank", "friedman_p", "rank_low", "rank_high", "difference_to_best", "p_holm_to_best"]
    found = []
    for names in ("abcd", "zaym"):
        _, ranked = outcome(tmp_path, rows_of(dict(zip(names, values, strict=True))))
        found.append(ranked.set_index("method").loc[list(names), numbers].reset_index(drop=True))
    pd.testing.assert_frame_equal(*found)


def test_same_table_same_bytes(tmp_path) -> None:
    rows = rows_of(graded("abc", 9))
    for turn in ("1", "2"):
        (tmp_path / turn).mkdir()
        outcome(tmp_path / turn, rows)
    for name in ("c.csv", "r.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_smaller_can_be_better(tmp_path, monkeypatch) -> None:
    rows = rows_of(graded("abc", 12))
    reversed_ = [one if one.key != "auprc" else replace(one, better=-1) for one in measures()]
    monkeypatch.setattr(rankings, "measures", lambda: reversed_)
    pairs, ranked = outcome(tmp_path, rows)
    assert ranked["method"].tolist() == ["a", "b", "c"]
    assert set(pairs["winner"]) == {"a", "b"}
    assert ranked.set_index("method").loc["c", "difference_to_best"] < 0


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"a": [0.1], "b": [0.2]}, "one subject only"),
        ({"a": [0.1, 0.2], "b": [np.nan, np.nan]}, "b without a value"),
        ({"a": [np.nan], "b": [np.nan]}, "a and b without a value"),
        ({"a": [0.1, np.nan], "b": [np.nan, 0.2]}, "no subject with a value under both"),
        ({"a": [0.1, 0.2], "b": [0.1, 0.2]}, "equal for every subject"),
        ({"a": [0.1, 0.2, 0.3], "b": [0.2, 0.4, 0.5]}, "with 3 subjects and 1 pair no adjusted p can lie below 0.25"),
    ],
)
def test_what_cannot_be_tested_says_why(values: dict, note: str, tmp_path, monkeypatch) -> None:
    pairs, ranked = outcome(tmp_path, rows_of(values))
    assert pairs["note"].tolist() == [note]
    assert len(ranked) == 2
    matrix, ranks = shown(tmp_path, monkeypatch)
    assert len(list(matrix.rows())) == len(list(ranks.rows())) == 2
    assert note.startswith("equal") or any(note in said for said in matrix.notes)


def test_one_method_has_a_rank_and_no_pair(tmp_path, monkeypatch) -> None:
    pairs, ranked = outcome(tmp_path, rows_of(graded("a", 8)))
    assert pairs.empty
    assert ranked[["mean_rank", "note"]].values.tolist() == [[1, "no other method with a value"]]
    matrix, ranks = shown(tmp_path, monkeypatch)
    assert "one method only" in matrix.notes[0]
    assert len(list(ranks.rows())) == 1


def test_no_rows_at_all_give_empty_tables_that_say_so(tmp_path, monkeypatch) -> None:
    pairs, ranked = outcome(tmp_path, [])
    assert pairs.empty and ranked.empty
    assert all("no evaluation" in table.notes[0] for table in shown(tmp_path, monkeypatch))


def test_all_test_sets_count_every_subject_once(tmp_path) -> None:
    values, others = graded("ab", 8), graded("ab", 6, seed=1)
    implanted = ("own", "T1w", "own-implanted")
    rows = rows_of(values) + rows_of(values, block=implanted) + rows_of(others, block=BRATS)
    pairs, _ = outcome(tmp_path, rows)
    together = pairs[pairs["cohort"] == "all"]
    assert together["subjects"].tolist() == [8 + 6]  # the same people in `own` and `own-implanted`, others in `brats`
    expected = np.concatenate([values["a"] - values["b"], others["a"] - others["b"]]).mean()
    assert together["mean_difference"].iloc[0] == pytest.approx(expected, rel=1e-5)


def test_all_test_sets_have_the_methods_that_all_of_them_have(tmp_path) -> None:
    rows = rows_of(graded("abc", 8)) + rows_of(graded("ab", 8), block=BRATS)
    _, ranked = outcome(tmp_path, rows)
    assert set(ranked.loc[ranked["cohort"] == "all", "method"]) == {"a", "b"}


def test_test_set_without_values_is_no_part_of_all(tmp_path) -> None:
    values = graded("ab", 8)
    rows = rows_of(values) + rows_of({name: np.full(8, np.nan) for name in values}, block=BRATS)
    pairs, _ = outcome(tmp_path, rows)
    assert "all" not in set(pairs["cohort"])


def test_tables_show_every_main_measure_of_every_block(tmp_path, monkeypatch) -> None:
    values = graded("abc", 12)
    rows = rows_of(values) + rows_of(values, what=DICE) + rows_of(values, block=BRATS)
    outcome(tmp_path, rows)
    matrix, ranks = shown(tmp_path, monkeypatch)
    headings = [heading for heading, _ in matrix.groups]
    assert headings == [
        "own → brats, T1w: AUPRC (12 subjects)",
        "own, T1w: AUPRC (12 subjects)",
        "own, T1w: Dice, validation (12 subjects)",
        "All test sets: AUPRC (24 subjects)",
    ]
    assert [heading.split(";")[0] for heading, _ in ranks.groups] == headings


def test_matrix_is_antisymmetric_and_bold_where_the_row_wins(tmp_path, monkeypatch) -> None:
    outcome(tmp_path, rows_of(graded("abc", 12)))
    matrix, ranks = shown(tmp_path, monkeypatch)
    _, rows = matrix.groups[0]
    assert [row[0].text for row in rows] == [column.title for column in matrix.columns[1:]] == ["c", "b", "a"]
    cells = [row[1:] for row in rows]
    assert cells[0][2].text.startswith("+1.00 (") and cells[0][2].bold
    assert cells[2][0].text.startswith("−1.00 (") and not cells[2][0].bold
    assert [cells[place][place].text for place in range(3)] == ["–"] * 3
    best = ranks.groups[0][1][0]
    assert best[1].bold and best[5].text == "best"


def test_tables_are_written_in_all_formats(tmp_path) -> None:
    outcome(tmp_path, rows_of(graded("abc", 12)))
    write_tables(tmp_path / "c.csv", tmp_path / "r.csv", *(tmp_path / name for name in ("c.tex", "c.html", "r.tex", "r.html")))
    assert "\\toprule" in (tmp_path / "c.tex").read_text() and "$-$1.00" in (tmp_path / "c.tex").read_text()
    assert "Friedman p = " in (tmp_path / "r.html").read_text()


def test_method_may_be_called_na(tmp_path) -> None:
    values = graded(["NA", "b"], 8)
    pairs, ranked = outcome(tmp_path, rows_of(values))
    assert pairs["first"].tolist() == ["NA"] and set(ranked["method"]) == {"NA", "b"}


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1.00"), (0.214, "0.21"), (0.034, "0.034"), (0.0021, "0.0021"), (4e-5, "4e-05"), (np.nan, "–")]
)
def test_p_values_are_short(value: float, text: str) -> None:
    assert p_text(value) == text


def test_methods_are_ranked_within_their_track(tmp_path, monkeypatch) -> None:
    rows = rows_of(graded("abcd", 12))
    tracks = {"a": "healthy", "b": "healthy", "c": "healthy", "d": "supervised"}
    files = [tmp_path / name for name in ("m.csv", "c.csv", "r.csv")]
    write_significance(write(files[0], rows), 300, files[1], files[2], tracks, untrained(rows))
    pairs, ranked = read(files[1]), read(files[2]).set_index("method")
    assert set(pairs["first"]) | set(pairs["second"]) == {"a", "b", "c"}
    assert ranked.loc["c", "mean_rank"] < 1.2 and ranked.loc["d", "mean_rank"] == 1
    matrix, ranks = shown(tmp_path, monkeypatch)
    headings = ["own, T1w, track healthy: AUPRC (12 subjects)", "own, T1w, track supervised: AUPRC (12 subjects)"]
    assert [heading.split(";")[0] for heading, _ in ranks.groups] == headings
    assert [heading for heading, _ in matrix.groups] == headings[:1]
