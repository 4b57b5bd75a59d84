"""Signals are noted once and act the second time."""

from __future__ import annotations

import os
import signal

import pytest

from madad.engine.signals import Interruption


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_first_signal_is_noted(number: int, code: int) -> None:
    with Interruption() as interruption:
        assert interruption.exit_code is None
        os.kill(os.getpid(), number)
        assert interruption.exit_code == code


def test_signals_that_come_together_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("madad.engine.signals.PATIENCE_S", 1e9)
    with Interruption() as interruption:
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert interruption.exit_code == 130


def test_impatient_user_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("madad.engine.signals.PATIENCE_S", -1.0)
    with Interruption(), pytest.raises(KeyboardInterrupt):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
