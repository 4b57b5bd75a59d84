"""Compare this package with what the authors' released code computed from the same inputs and weights.

The data are not part of the repository: MADAD_TEST_GOLDEN names their folder; by default it is `../shared/golden`, seen from the
root of the repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import torch

from tests.golden.check import CHECKS, FOLDER, Item, compare

GOLDEN = json.loads((FOLDER / "golden.json").read_text()) if (FOLDER / "golden.json").is_file() else {"items": [], "tensors": {}}
ITEMS = [pytest.param(record, id=record["id"]) for record in GOLDEN["items"]]
ABSENT = [pytest.param(None, id="absent", marks=pytest.mark.skip(f"no golden data in {FOLDER}; name them in MADAD_TEST_GOLDEN"))]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("record", ITEMS or ABSENT)
def test_agrees_with_the_authors_code(record: dict) -> None:
    Item.tensors = GOLDEN["tensors"]
    item = Item(record)
    found = CHECKS[record["id"]](item)
    compared = {name.partition("@")[0] for name in found}
    assert not [name for name, output in record["outputs"].items() if output.get("compared", True) and name not in compared]
    results = {name: compare(record, name, value, item) for name, value in found.items()}
    assert not {name: result for name, result in results.items() if result["verdict"] == "FAIL"}
