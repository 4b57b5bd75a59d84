"""Signals are noted once and act the second time."""

from __future__ import annotations

import os
import signal

import pytest

from madad.engine.interruption import Interruption


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_first_signal_is_noted(number: int, code: int) -> None:
    with Interruption() as interruption:
        assert interruption.exit_code is None
        os.kill(os.getpid(), number)
        assert interruption.exit_code == code


def test_second_signal_acts() -> None:
    with Interruption(), pytest.raises(KeyboardInterrupt):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
