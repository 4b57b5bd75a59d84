from __future__ import annotations

import os
import time

import pytest

from madad.core.errors import UserError
from madad.evaluation.protocol.workers import team


def slow_square(number: int) -> tuple[int, int]:
    time.sleep(0.02 * (number % 3 == 0))
    if number == 99:
        raise UserError("ninety-nine")
    return number * number, os.getpid()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_order(workers: int) -> None:
    with team(workers) as run:
        squares, processes = zip(*run(slow_square, range(25)), strict=True)
    assert list(squares) == [number**2 for number in range(25)]
    assert (os.getpid() in processes) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_error_of_a_user_stays_one(workers: int) -> None:
    with pytest.raises(UserError, match="ninety-nine"), team(workers) as run:
        list(run(slow_square, [1, 99, 2]))


def test_items_are_taken_as_they_are_needed() -> None:
    taken = []
    with team(2) as run:
        results = run(slow_square, (taken.append(number) or number for number in range(100)))
        next(results)
    assert len(taken) < 20
