"""Interruption at the end of a step: SIGTERM (from a scheduler) and SIGINT (Ctrl-C) do not stop a step half-way."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)
PATIENCE_S = 2.0

Handler = Callable[[int, FrameType | None], Any] | int | None


class Interruption:
    """Records a signal while the block runs. A second Ctrl-C after a while stops the program at once.

    Snakemake may pass on the Ctrl-C that the terminal has already sent, so signals within two seconds count as one.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._since = 0.0
        self._before: dict[int, Handler] = {}

    @property
    def exit_code(self) -> int | None:
        """143 after SIGTERM, 130 after SIGINT, None as long as there was no signal."""
        return None if self.signal is None else 128 + self.signal

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python allows signal handlers only there
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal, self._since = number, time.monotonic()
        elif number == signal.SIGINT and time.monotonic() - self._since > PATIENCE_S:
            raise KeyboardInterrupt
