"""Stop at a good moment when told to: SIGTERM (a scheduler) and SIGINT (Ctrl-C) wait for the end of the step."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)
PATIENCE_S = 2.0


class Interruption:
    """While the block runs, a signal is only noted. Whoever presses Ctrl-C again after a while stops the program at once.

    A workflow may pass on the Ctrl-C that the terminal has sent already, so that equal signals within two seconds are one.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._since = 0.0
        self._before: dict[int, object] = {}

    @property
    def exit_code(self) -> int | None:
        """143 for SIGTERM, 130 for SIGINT, None as long as nothing has come."""
        return None if self.signal is None else 128 + self.signal

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal, self._since = number, time.monotonic()
        elif number == signal.SIGINT and time.monotonic() - self._since > PATIENCE_S:
            raise KeyboardInterrupt
