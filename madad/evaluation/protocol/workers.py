"""The same work for many samples, in this process or in several; results come in the order of the samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Run = Callable[[Callable[[Item], Result], Iterable[Item]], Iterator[Result]]

# Samples per process that are worked on at once: enough that no process waits, too few for their results to fill the memory.
AHEAD = 4


@contextmanager
def team(workers: int) -> Generator[Run]:
    """Give a function that works as `map`: in this process with one worker, else in as many forked ones.

    What is open at the start of the block is open in every process. A function must be of a module, and depend on nothing
    but its argument, so that results do not depend on the number of workers.
    """
    if workers <= 1:
        yield map
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        pool.submit(int).result()  # all processes start here, before a progress bar starts a thread
        yield partial(_in_order, pool, AHEAD * workers)


def _in_order(
    pool: ProcessPoolExecutor, ahead: int, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) == ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
