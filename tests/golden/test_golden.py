"""Compare this package with what the authors' released code computed from the same inputs and weights.

The data lie in `tests/golden/arrays`; MADAD_TEST_GOLDEN names another folder of the same form. docs/reference/fidelity.md shows
the errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import torch

from tests.golden.check import CHECKS, FOLDER, Item, compare
from tests.golden.fidelity_page import ARRAYS, OBSERVED, STALE

GOLDEN = json.loads((FOLDER / "golden.json").read_text())
TOLD = json.loads(OBSERVED.read_text()) if FOLDER == ARRAYS else {}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("record", GOLDEN["items"], ids=lambda record: record["id"])
def test_agrees_with_the_authors_code(record: dict) -> None:
    Item.tensors = GOLDEN["tensors"]
    item = Item(record)
    found = CHECKS[record["id"]](item)
    compared = {name.partition("@")[0] for name in found}
    assert not [name for name, output in record["outputs"].items() if output.get("compared", True) and name not in compared]
    results = {name: compare(record, name, value, item) for name, value in found.items()}
    assert not {name: result for name, result in results.items() if result["verdict"] == "FAIL"}
    if TOLD:
        assert_told(TOLD[record["id"]], results)


def assert_told(told: dict, results: dict) -> None:
    """Rounding differs between machines: errors are the same within a factor of ten, or both below a third of what is allowed."""
    assert {name: result["verdict"] for name, result in told.items()} == {
        name: result["verdict"] for name, result in results.items()
    }, STALE
    for name, result in results.items():
        smaller, larger = sorted((result["max_abs"], told[name]["max_abs"]))
        assert larger <= max(10 * smaller, result["allowed"] / 3), f"{name}: {STALE}"


def test_errors_that_the_page_does_not_tell_are_found() -> None:
    told = {"loss": {"max_abs": 1e-7, "allowed": 1e-5, "verdict": "PASS"}}
    assert_told(told, {"loss": {"max_abs": 3e-6, "allowed": 1e-5, "verdict": "PASS"}})
    for now in ({"max_abs": 9e-6, "verdict": "PASS"}, {"max_abs": 1e-7, "verdict": "SAME"}):
        with pytest.raises(AssertionError, match="is stale"):
            assert_told(told, {"loss": {"allowed": 1e-5, **now}})
