"""docs/reference/fidelity.md tells what the golden tests find."""

from __future__ import annotations

import copy

from madad.configuration import cards
from tests.golden.fidelity_page import PAGE, STALE, SYSTEMS, render, rows, stored

GOLDEN, OBSERVED, DIFFERENCES = stored()


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text() == render(GOLDEN, OBSERVED, DIFFERENCES), STALE


def test_page_has_a_row_for_every_item_and_no_error_beyond_its_tolerance() -> None:
    text = PAGE.read_text()
    assert all(f"| `{record['id']}" in text for record in GOLDEN["items"])
    assert {record["id"].partition(".")[0] for record in GOLDEN["items"]} == set(SYSTEMS)
    assert not [name for name, results in OBSERVED.items() if any(result["verdict"] == "FAIL" for result in results.values())]


def test_worst_output_of_an_item_is_shown() -> None:
    record = copy.deepcopy(GOLDEN["items"][0])
    results = {
        "near": {"max_abs": 0.5, "allowed": 10.0, "verdict": "PASS"},
        "far": {"max_abs": 0.2, "allowed": 0.25, "verdict": "PASS"},
        "other@as_is": {"max_abs": 0.7, "allowed": 1.0, "verdict": "DIFF"},
    }
    record["variants"] = {"as_is": {"what": "another rule"}}
    first, second = rows(record, results)
    assert "| 2.0e-01 | 2.5e-01 |" in first
    assert ", other` | **Different:** another rule | 7.0e-01 |" in second


def test_methods_that_train_in_another_precision_are_told() -> None:
    trained = [name for name in (*cards.names(), *cards.components()) if cards.load(name)["capabilities"]["trains"]]
    auto = {name for name in trained if cards.load(name)["training"]["precision"]["default"] == "auto"}
    row = next(row for row in DIFFERENCES if "bfloat16" in row["difference"])
    assert auto == set(row["system"].split(", "))


def test_differences_are_complete_and_of_systems_that_exist() -> None:
    names = {*cards.names(), *cards.components(), "fluid"}
    for row in DIFFERENCES:
        assert set(row) == {"system", "difference", "effect", "reason"} and all(str(value).strip() for value in row.values())
        assert set(row["system"].split(", ")) <= names
