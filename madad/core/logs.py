"""Progress bars and messages that are readable on a terminal and in a log file."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO, TypeVar

T = TypeVar("T")

# A bar cannot move in a log file, which gets one line every so many seconds instead.
LOG_INTERVAL_S = 10.0
# Set where one line of progress speaks for all jobs: what a job says goes into its log, and only its warnings to the terminal.
QUIET_JOBS = "MADAD_QUIET_JOBS"
WARNING = "warning: "


def say(message: str) -> None:
    """Write one line of information."""
    print(message, file=sys.stderr, flush=True)


def warn(message: str) -> None:
    """Write one line that the user should act on."""
    say(f"{WARNING}{message}")


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it: `45 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def progress(items: Iterable[T], description: str, total: int | None = None, start: int = 0) -> Iterator[T]:
    """Yield the items and show the progress: a bar on a terminal, an occasional line in a log file.

    Args:
        items: the items to iterate over.
        description: the work in a few words.
        total: number of items including those before `start`; taken from `len` when absent.
        start: number of items already done, when resuming.
    """
    if total is None:
        if not isinstance(items, Sized):
            raise TypeError(f"{description}: the items have no length, so their total number is needed")
        total = start + len(items)
    draw = _bar if sys.stderr.isatty() else _lines
    yield from draw(items, description, total, start)


def _bar(items: Iterable[T], description: str, total: int, start: int) -> Iterator[T]:
    # the jobs of the workflow write into logs and need no bars
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as bars:
        task = bars.add_task(description, total=total, completed=start)
        for item in items:
            yield item
            bars.advance(task)


def _lines(items: Iterable[T], description: str, total: int, start: int) -> Iterator[T]:
    begun = last = time.monotonic()
    for done, item in enumerate(items, start=start + 1):
        yield item
        now = time.monotonic()
        if now - last >= LOG_INTERVAL_S or done == total:
            rate = (done - start) / max(now - begun, 1e-9)
            left = (total - done) / rate
            say(f"{description}: {done}/{total}, {now - begun:.0f} s, about {left:.0f} s left")
            last = now


class _Warnings:
    """Passes only lines of `warn` on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._line = stream, ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if line.startswith(WARNING):
                self._stream.write(f"{line}\n")
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


class _Tee:
    """Writes to the terminal and to a log file; it is no terminal itself, so that bars become lines."""

    def __init__(self, *targets: TextIO | _Warnings) -> None:
        self._targets = targets

    def write(self, text: str) -> int:
        for target in self._targets:
            with suppress(OSError):  # neither a closed terminal nor a full disk below the log must stop the work
                target.write(text)
        return len(text)

    def flush(self) -> None:
        for target in self._targets:
            with suppress(OSError):
                target.flush()

    def isatty(self) -> bool:
        return False


@contextmanager
def capture(path: str | None) -> Generator[None]:
    """Copy everything that is written to stderr inside the block to a log file; with `QUIET_JOBS` only warnings are shown too.

    The file is appended to, because a retry must not overwrite the messages of the first attempt.
    """
    if path is None:
        yield
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    terminal = sys.stderr
    with open(path, "a") as file:
        sys.stderr = _Tee(_Warnings(terminal) if os.environ.get(QUIET_JOBS) else terminal, file)
        try:
            yield
        finally:
            sys.stderr = terminal
